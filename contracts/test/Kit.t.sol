// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Kit, vm} from "./Kit.sol";

contract Counter {
    uint256 public count;

    function up() external {
        count += 1;
    }
}

/// @notice The harness itself: tests run, fuzzing and invariants call what they should.
contract KitTest is Kit {
    Counter private _counter;

    function setUp() public {
        _counter = new Counter();
        _target(address(_counter));
    }

    function test_namesAreAddressesThatCanSign() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(uint256(keccak256("alice")), keccak256("message"));
        vm.assertEq(ecrecover(keccak256("message"), v, r, s), _name("alice"));
    }

    function test_argumentsAreFuzzed(uint64 value) public pure {
        vm.assertLt(value, 1 << 64, "uint64");
    }

    function invariant_randomCallsReachTheTarget() public view {
        vm.assertLt(_counter.count(), 1 << 32, "counter");
    }
}
