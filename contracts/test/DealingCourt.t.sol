// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Court} from "../src/Court.sol";
import {DealingCourt} from "../src/DealingCourt.sol";
import {IDealingCourt} from "../src/interfaces/IDealingCourt.sol";
import {ISlashingManager} from "../src/interfaces/ISlashingManager.sol";
import {Sha256Merkle} from "../src/libraries/Sha256Merkle.sol";
import {ChaCha20} from "../src/libraries/ChaCha20.sol";
import {KIND_DEALING, Statement, Statements} from "../src/Statements.sol";
import {Kit, vm} from "./Kit.sol";

/// @notice Notes what was reported.
contract ReportDouble {
    mapping(bytes32 offence => address) public culprit;
    uint256 public reports;

    function report(bytes32 offence, uint256, address operator, uint48, uint64) external {
        culprit[offence] = operator;
        ++reports;
    }
}

contract Cipher {
    function applied(bytes32 key, bytes calldata data) external pure returns (bytes memory) {
        return ChaCha20.applied(key, data);
    }
}

contract DealingCourtTest is Kit {
    uint256 private constant KEY = 77;
    uint256 private constant FIELD = 65537;
    bytes32 private constant CONTEXT = "context";
    bytes32 private constant OPENING = "opening";

    address private _registry;
    DealingCourt private _court;
    ReportDouble private _slashing;
    Cipher private _cipher;
    string private _json;

    function setUp() public {
        _json = vm.readFile("../tests/vectors/dealing.json");
        _registry = vm.parseJsonAddress(_json, ".registry");
        vm.chainId(vm.parseJsonUint(_json, ".chain_id"));
        _slashing = new ReportDouble();
        _court = new DealingCourt(_registry, ISlashingManager(address(_slashing)), 0.5e18);
        _cipher = new Cipher();
    }

    // -- shared vectors

    function test_noCourtOfDealingsWithoutSha256() public {
        vm.mockCall(address(2), "", "");
        vm.expectRevert();
        new DealingCourt(_registry, ISlashingManager(address(_slashing)), 0.5e18);
        vm.mockCall(address(2), "", abi.encode("whatever stands there"));
        vm.expectRevert(Sha256Merkle.NoSha256.selector);
        new DealingCourt(_registry, ISlashingManager(address(_slashing)), 0.5e18);
    }

    function test_statementIsThatOfPython() public view {
        (IDealingCourt.Dealing memory dealing, bytes32[2] memory signature) = _real();
        bytes32 value = Statements.dealingValue(dealing.threshold, dealing.challenge, dealing.shares, dealing.degree);
        vm.assertEq(value, vm.parseJsonBytes32(_json, ".value"));
        address dealer = Statements.signer(_statement(dealing), signature, _registry);
        vm.assertEq(dealer, vm.parseJsonAddress(_json, ".dealer"));
    }

    /// @dev RFC 8439, appendix A.1: test vectors 1 and 2 are blocks 0 and 1 under the zero key and nonce; A.5's first block
    ///      of text is block 1 too.
    function test_cipherIsThatOfTheRfc() public view {
        bytes memory block1 = hex"9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
            hex"29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f";
        vm.assertEq(_cipher.applied(0, new bytes(64)), block1);
        // Any part of the stream is the same, whatever its length; and applied twice nothing is changed.
        bytes memory long = _cipher.applied("key", new bytes(1000));
        for (uint256 length = 0; length < 1000; length += 333) {
            bytes memory short = _cipher.applied("key", new bytes(length));
            for (uint256 i = 0; i < length; ++i) vm.assertEq(uint8(short[i]), uint8(long[i]));
        }
        vm.assertEq(_cipher.applied("key", long), new bytes(1000));
    }

    function test_aRealDealingIsRight() public {
        (IDealingCourt.Dealing memory dealing, bytes32[2] memory signature) = _real();
        for (uint256 i = 0; i < 2; ++i) {
            IDealingCourt.Opened memory opened = _opened(i);
            for (uint256 c = 0; c < 9; ++c) {
                opened.combination = c;
                vm.expectRevert(abi.encodeWithSelector(IDealingCourt.ShareIsRight.selector, opened.member, c));
                _court.badDealing(dealing, signature, opened);
            }
        }
        // It is these polynomials that it lies on, and this challenge.
        dealing.degree[0] ^= 0x10;
        signature = _sign(dealing);
        IDealingCourt.Opened memory second = _opened(1);
        _court.badDealing(dealing, signature, second);
        dealing.degree[0] ^= 0x10;
        dealing.challenge = "another";
        signature = _sign(dealing);
        _court.badDealing(dealing, signature, second);
    }

    // -- badDealing

    /// forge-config: default.fuzz.runs = 6
    /// forge-config: deep.fuzz.runs = 200
    function test_badDealing_isReported(uint16 position, uint8 combination, uint256 seed) public {
        (IDealingCourt.Dealing memory dealing, IDealingCourt.Opened memory opened, bytes memory text) =
            _case(seed, combination % 9);
        uint256 where = uint256(position) % 4096;
        _set(text, where, (_get(text, where) + 1 + seed % 65536) % FIELD);
        _seal(dealing, opened, text);
        // Weights are zero once in 65537 times; then another combination shows it.
        bytes32[2] memory signature = _sign(dealing);
        if (_weight(dealing.challenge, opened.combination, where) == 0) return;
        bytes32 offence = _court.badDealing(dealing, signature, opened);
        vm.assertEq(_slashing.culprit(offence), vm.addr(KEY));
        vm.assertEq(_court.badDealing(dealing, signature, opened), offence);
    }

    /// forge-config: default.fuzz.runs = 6
    /// forge-config: deep.fuzz.runs = 200
    function test_badDealing_valuesAreOfTheField(uint16 position, uint256 seed) public {
        (IDealingCourt.Dealing memory dealing, IDealingCourt.Opened memory opened, bytes memory text) = _case(seed, 3);
        uint256 where = uint256(position) % 4096;
        // One that still has 17 bits when the field's size is added; so the sums are the same.
        uint256 small = seed % (131072 - FIELD);
        _set(text, where, small);
        _publish(dealing, text, 3);
        _seal(dealing, opened, text);
        bytes32[2] memory signature = _sign(dealing);
        vm.expectPartialRevert(IDealingCourt.ShareIsRight.selector);
        _court.badDealing(dealing, signature, opened);
        _set(text, where, small + FIELD);
        _seal(dealing, opened, text);
        _court.badDealing(dealing, _sign(dealing), opened);
        vm.assertEq(_slashing.reports(), 1);
    }

    function test_badDealing_sharesHaveTheirLength() public {
        (IDealingCourt.Dealing memory dealing, IDealingCourt.Opened memory opened,) = _case(1, 0);
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory text = new bytes([uint256(0), 8723, 8725][i]);
            _seal(dealing, opened, text);
            _court.badDealing(dealing, _sign(dealing), opened);
        }
        vm.assertEq(_slashing.reports(), 3);
    }

    /// forge-config: default.fuzz.runs = 6
    /// forge-config: deep.fuzz.runs = 200
    function test_badDealing_paddingIsZero(uint8 padding) public {
        (IDealingCourt.Dealing memory dealing, IDealingCourt.Opened memory opened, bytes memory text) = _case(1, 0);
        text[8723] |= bytes1(padding % 127 + 1);
        _seal(dealing, opened, text);
        _court.badDealing(dealing, _sign(dealing), opened);
        vm.assertEq(_slashing.reports(), 1);
    }

    /// forge-config: default.fuzz.runs = 6
    /// forge-config: deep.fuzz.runs = 200
    function test_badDealing_byTheMask(uint256 seed) public {
        (IDealingCourt.Dealing memory dealing, IDealingCourt.Opened memory opened, bytes memory text) = _case(seed, 8);
        _set(text, 4096 + 8, (_get(text, 4096 + 8) + 1) % FIELD);
        _seal(dealing, opened, text);
        _court.badDealing(dealing, _sign(dealing), opened);
        _publish(dealing, text, 8);
        bytes32[2] memory signature = _sign(dealing);
        vm.expectPartialRevert(IDealingCourt.ShareIsRight.selector);
        _court.badDealing(dealing, signature, opened);
    }

    /// forge-config: default.fuzz.runs = 16
    /// forge-config: deep.fuzz.runs = 200
    function test_badDealing_anHonestDealerNeverLoses(uint8 what, uint16 place, uint8 change, bytes32 other) public {
        (IDealingCourt.Dealing memory dealing, bytes32[2] memory signature) = _real();
        IDealingCourt.Opened memory opened = _opened(what % 2);
        opened.combination = change % 9;
        uint256 kind = uint256(what) % 5;
        if (kind == 0) opened.opening ^= other;
        if (kind == 1) opened.context ^= other;
        if (kind == 2) opened.sealedShare[place % 9860] ^= bytes1(change);
        if (kind == 3) opened.member = uint256(change) % 5 + 1;
        if (kind == 4) opened.sealedShare = bytes.concat(opened.sealedShare, other);
        vm.expectRevert();
        _court.badDealing(dealing, signature, opened);
        vm.assertEq(_slashing.reports(), 0);
    }

    /// forge-config: default.fuzz.runs = 6
    /// forge-config: deep.fuzz.runs = 200
    function test_badDealing_rightDealingsNeverLose(uint256 seed, uint8 combination) public {
        (IDealingCourt.Dealing memory dealing, IDealingCourt.Opened memory opened,) = _case(seed, combination % 9);
        bytes32[2] memory signature = _sign(dealing);
        vm.expectRevert(
            abi.encodeWithSelector(IDealingCourt.ShareIsRight.selector, opened.member, opened.combination)
        );
        _court.badDealing(dealing, signature, opened);
    }

    function test_badDealing_onlyTheSignerLoses() public {
        (IDealingCourt.Dealing memory dealing, bytes32[2] memory signature) = _real();
        IDealingCourt.Opened memory opened = _opened(1);
        // Another slot, polynomials or chain: the signature recovers to somebody, but not to the dealer.
        dealing.degree[0] ^= 0x10;
        dealing.cell += 1;
        bytes32 offence = _court.badDealing(dealing, signature, opened);
        vm.assertTrue(_slashing.culprit(offence) != vm.parseJsonAddress(_json, ".dealer"), "not the dealer");
    }

    function test_badDealing_positionsExist() public {
        (IDealingCourt.Dealing memory dealing, bytes32[2] memory signature) = _real();
        IDealingCourt.Opened memory opened = _opened(0);
        opened.combination = 9;
        vm.expectRevert(abi.encodeWithSelector(IDealingCourt.NoSuchCombination.selector, 9));
        _court.badDealing(dealing, signature, opened);
        opened.combination = 0;
        for (uint256 i = 0; i < 2; ++i) {
            opened.member = 6 * i;
            vm.expectRevert(abi.encodeWithSelector(IDealingCourt.NoSuchMember.selector, 6 * i, 5));
            _court.badDealing(dealing, signature, opened);
        }
        dealing.threshold = 4;
        signature = _sign(dealing);
        vm.expectRevert(abi.encodeWithSelector(IDealingCourt.BadDegree.selector, 58, 4));
        _court.badDealing(dealing, signature, opened);
    }

    function test_twoDealingsContradictEachOther() public {
        (IDealingCourt.Dealing memory dealing,,) = _case(1, 0);
        Statement memory one = _statement(dealing);
        bytes32[2] memory first = _sign(dealing);
        dealing.challenge = "another";
        Statement memory other = _statement(dealing);
        bytes32[2] memory second = _sign(dealing);
        Court court = new Court(_registry, ISlashingManager(address(_slashing)), 1, 1);
        court.equivocation(one, first, other, second);
        vm.assertEq(_slashing.reports(), 1);
    }

    function test_badDealing_costs() public {
        (IDealingCourt.Dealing memory dealing,) = _real();
        dealing.degree[0] ^= 0x10;
        bytes32[2] memory signature = _sign(dealing);
        IDealingCourt.Opened memory opened = _opened(1);
        uint256 left = gasleft();
        _court.badDealing(dealing, signature, opened);
        // The call's data, and the transaction.
        _atMostGas(left - gasleft() + 16 * opened.sealedShare.length + 30_000, 2_500_000);
    }

    // -- helpers: the real dealing, and made up ones of threshold 1, where all shares are the same

    function _real() private view returns (IDealingCourt.Dealing memory dealing, bytes32[2] memory signature) {
        uint256[] memory slot = vm.parseJsonUintArray(_json, ".slot");
        dealing = IDealingCourt.Dealing(
            slot[0],
            uint64(slot[1]),
            uint64(slot[2]),
            uint64(slot[3]),
            uint8(vm.parseJsonUint(_json, ".threshold")),
            vm.parseJsonBytes32(_json, ".challenge"),
            vm.parseJsonBytes32Array(_json, ".shares"),
            vm.parseJsonBytes(_json, ".degree")
        );
        signature = abi.decode(vm.parseJsonBytes(_json, ".signature"), (bytes32[2]));
    }

    function _opened(uint256 index) private view returns (IDealingCourt.Opened memory) {
        string memory where = string.concat(".opened[", vm.toString(index), "]");
        return IDealingCourt.Opened(
            vm.parseJsonUint(_json, string.concat(where, ".member")),
            0,
            vm.parseJsonBytes32(_json, string.concat(where, ".context")),
            vm.parseJsonBytes32(_json, string.concat(where, ".opening")),
            vm.parseJsonBytes(_json, string.concat(where, ".sealed"))
        );
    }

    /// @dev A right dealing of a random text to seven members, but that only one combination was published.
    function _case(uint256 seed, uint256 combination)
        private
        view
        returns (IDealingCourt.Dealing memory dealing, IDealingCourt.Opened memory opened, bytes memory text)
    {
        text = _anyText(seed);
        dealing = IDealingCourt.Dealing(1, 7, 35, 2, 1, keccak256(abi.encode(seed)), new bytes32[](7), new bytes(20));
        opened = IDealingCourt.Opened(seed % 7 + 1, combination, CONTEXT, OPENING, "");
        _publish(dealing, text, combination);
        _seal(dealing, opened, text);
    }

    /// @dev Random values below 65536, eight in 17 bytes.
    function _anyText(uint256 seed) private pure returns (bytes memory text) {
        text = new bytes(8724 + 32);
        uint256 below = 0;
        for (uint256 i = 0; i < 8; ++i) below = below << 17 | 0xffff;
        for (uint256 i = 0; i <= 512; ++i) {
            uint256 word = uint256(keccak256(abi.encode(seed, i))) & below;
            assembly ("memory-safe") {
                mstore(add(add(text, 32), mul(17, i)), shl(120, word))
            }
        }
        assembly ("memory-safe") {
            mstore(text, 8724)
        }
        for (uint256 i = 8721; i < 8724; ++i) text[i] = 0;
        _set(text, 4104, seed % FIELD);
    }

    /// @dev The combination by its definition, value by value.
    function _publish(IDealingCourt.Dealing memory dealing, bytes memory text, uint256 combination) private pure {
        uint256[128] memory e;
        for (uint256 i = 0; i < 128; ++i) e[i] = _element(dealing.challenge, combination, i);
        uint256 sum = _get(text, 4096 + combination);
        for (uint256 i = 0; i < 4096; ++i) sum += e[i / 64] * e[64 + i % 64] % FIELD * _get(text, i);
        _set(dealing.degree, combination, sum % FIELD);
    }

    function _element(bytes32 challenge, uint256 combination, uint256 index) private pure returns (uint256) {
        uint32 number = uint32((128 * combination + index) / 4);
        bytes32 hash = sha256(abi.encodePacked(challenge, number));
        return uint64(uint256(hash) >> (64 * (3 - index % 4))) % FIELD;
    }

    function _weight(bytes32 challenge, uint256 combination, uint256 index) private pure returns (uint256) {
        return _element(challenge, combination, index / 64) * _element(challenge, combination, 64 + index % 64) % FIELD;
    }

    /// @dev Seals a text so that the opening fits; encapsulation and tag are nothing to the court.
    function _seal(IDealingCourt.Dealing memory dealing, IDealingCourt.Opened memory opened, bytes memory text)
        private
        view
    {
        bytes memory info = bytes.concat("2pm/seal/v2/share", sha256(bytes.concat(opened.context)));
        bytes32 secret = _hmac(0, bytes.concat(opened.opening));
        bytes32 key = _hmac(secret, bytes.concat(info, hex"01"));
        bytes32 commitment = _hmac(secret, bytes.concat(key, info, hex"02"));
        opened.sealedShare =
            bytes.concat(new bytes(1088), commitment, _cipher.applied(key, text), new bytes(16));
        dealing.shares[opened.member - 1] = sha256(opened.sealedShare);
    }

    function _hmac(bytes32 key, bytes memory message) private pure returns (bytes32) {
        (bytes memory inner, bytes memory outer) = (new bytes(64), new bytes(64));
        for (uint256 i = 0; i < 64; ++i) {
            bytes1 part = i < 32 ? key[i] : bytes1(0);
            (inner[i], outer[i]) = (part ^ 0x36, part ^ 0x5c);
        }
        return sha256(bytes.concat(outer, sha256(bytes.concat(inner, message))));
    }

    function _statement(IDealingCourt.Dealing memory dealing) private pure returns (Statement memory) {
        bytes32 value = Statements.dealingValue(dealing.threshold, dealing.challenge, dealing.shares, dealing.degree);
        return Statement(KIND_DEALING, dealing.subnetId, dealing.epoch, dealing.height, dealing.cell, value);
    }

    function _sign(IDealingCourt.Dealing memory dealing) private view returns (bytes32[2] memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(KEY, Statements.digest(_statement(dealing), _registry));
        return [r, vs];
    }

    /// @dev Value `index` of 17 bits; masks begin at 4096 too, since 4,096 values fill whole bytes.
    function _get(bytes memory data, uint256 index) private pure returns (uint256 value) {
        (uint256 place, uint256 bit) = (17 * index / 8, 17 * index % 8);
        value = uint256(uint8(data[place])) << 16 | uint256(uint8(data[place + 1])) << 8;
        if (place + 2 < data.length) value |= uint8(data[place + 2]);
        return value >> (7 - bit) & 0x1ffff;
    }

    function _set(bytes memory data, uint256 index, uint256 value) private pure {
        (uint256 place, uint256 bit) = (17 * index / 8, 17 * index % 8);
        uint256 old = uint256(uint8(data[place])) << 16 | uint256(uint8(data[place + 1])) << 8;
        if (place + 2 < data.length) old |= uint8(data[place + 2]);
        old = old & ~(uint256(0x1ffff) << (7 - bit)) | value << (7 - bit);
        (data[place], data[place + 1]) = (bytes1(uint8(old >> 16)), bytes1(uint8(old >> 8)));
        if (place + 2 < data.length) data[place + 2] = bytes1(uint8(old));
    }
}
