// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {TwoPMToken} from "../src/TwoPMToken.sol";
import {Kit, vm} from "./Kit.sol";

contract TwoPMTokenTest is Kit {
    uint256 private constant KEY = 0xA11CE;
    TwoPMToken private _token;
    address private _owner;
    address private _spender;

    function setUp() public {
        _owner = vm.addr(KEY);
        _spender = _name("spender");
        _token = new TwoPMToken(_owner, 1e27);
    }

    function test_theWholeSupplyIsTheHolders() public view {
        vm.assertEq(_token.totalSupply(), 1e27);
        vm.assertEq(_token.balanceOf(_owner), 1e27);
        vm.assertEq(bytes(_token.symbol()), bytes("2PM"));
    }

    function test_aPermitApproves() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit();
        _token.permit(_owner, _spender, 7, vm.getBlockTimestamp(), v, r, s);
        vm.assertEq(_token.allowance(_owner, _spender), 7);
    }

    function test_aPermitIsUsedOnce() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit();
        _token.permit(_owner, _spender, 7, vm.getBlockTimestamp(), v, r, s);
        vm.expectRevert();
        _token.permit(_owner, _spender, 7, vm.getBlockTimestamp(), v, r, s);
    }

    function test_aPermitOfAnotherChainIsRefused() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit();
        vm.chainId(vm.getChainId() + 1);
        vm.expectRevert();
        _token.permit(_owner, _spender, 7, vm.getBlockTimestamp(), v, r, s);
    }

    function _permit() private view returns (uint8, bytes32, bytes32) {
        bytes32 kind =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 inner = keccak256(abi.encode(kind, _owner, _spender, 7, _token.nonces(_owner), vm.getBlockTimestamp()));
        return vm.sign(KEY, keccak256(abi.encodePacked(hex"1901", _token.DOMAIN_SEPARATOR(), inner)));
    }
}
