// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Court} from "../src/Court.sol";
import {ICourt} from "../src/interfaces/ICourt.sol";
import {ISlashingManager} from "../src/interfaces/ISlashingManager.sol";
import {Sha256Merkle} from "../src/libraries/Sha256Merkle.sol";
import {KIND_AGGREGATE, KIND_VOTE, Statement, Statements} from "../src/Statements.sol";
import {Handler, Kit, vm} from "./Kit.sol";

/// @notice Notes what was reported.
contract SlashingDouble {
    mapping(bytes32 offence => address) public culprit;
    uint256 public reports;
    mapping(address operator => uint256) public times;

    function report(bytes32 offence, uint256, address operator, uint48, uint64) external {
        culprit[offence] = operator;
        ++times[operator];
        ++reports;
    }
}

contract Climber {
    function root(bytes32 node, uint256 position, uint256 count, bytes32[] calldata path)
        external
        pure
        returns (bytes32)
    {
        return Sha256Merkle.root(node, position, count, path, 0);
    }
}

/// @notice An honest operator states one value for each slot, a liar two; anybody reports any pair, signatures swapped too.
contract CourtHandler is Handler {
    uint256 private constant HONEST = 11;
    uint256 private constant LIAR = 12;
    address private constant REGISTRY = address(0x1111111111111111111111111111111111111111);
    Court private _court;
    SlashingDouble public slashing;

    constructor() {
        slashing = new SlashingDouble();
        _court = new Court(REGISTRY, ISlashingManager(address(slashing)), 0.5e18, 0.5e18);
    }

    function honest() external pure returns (address) {
        return vm.addr(HONEST);
    }

    /// @dev Two of the honest one's statements, near each other.
    function accuse(uint256 slot, uint256 near, uint256 chain) external {
        slot = slot % 500;
        Statement memory one = _statement(slot, 0);
        Statement memory other = _statement(slot + near % 3, 0);
        _try(one, _sign(HONEST, one), other, _sign(HONEST, other), false);
        chain = chain % 2 == 0 ? vm.getChainId() : 5;
        _elsewhere(one, slot, chain);
    }

    /// @dev Its signature under what it never stated, or the liar's.
    function forge(uint256 slot, bytes32 value, bool liars) external {
        Statement memory one = _statement(slot, 0);
        Statement memory other = _statement(slot, 0);
        other.value = value;
        bytes32[2] memory made = liars ? _sign(LIAR, other) : _sign(HONEST, one);
        _try(one, _sign(HONEST, one), other, made, false);
    }

    function convict(uint256 slot, uint64 lie) external {
        Statement memory one = _statement(slot, 0);
        Statement memory other = _statement(slot, 1 + lie % 1000);
        _try(one, _sign(LIAR, one), other, _sign(LIAR, other), true);
    }

    function convictByEpoch(uint256 slot) external {
        Statement memory one = _statement(slot, 0);
        Statement memory other = _statement(slot, 0);
        ++other.epoch;
        _try(one, _sign(LIAR, one), other, _sign(LIAR, other), true);
    }

    /// @dev What it signed on another chain, or under another registry, is of no use here.
    function _elsewhere(Statement memory one, uint256 slot, uint256 chain) private {
        uint256 here = vm.getChainId();
        Statement memory other = _statement(slot, 7);
        vm.chainId(chain);
        bytes32 digest = Statements.digest(other, chain == here ? address(this) : REGISTRY);
        vm.chainId(here);
        (bytes32 r, bytes32 vs) = vm.signCompact(HONEST, digest);
        _try(one, _sign(HONEST, one), other, [r, vs], false);
    }

    function _try(
        Statement memory one,
        bytes32[2] memory first,
        Statement memory other,
        bytes32[2] memory second,
        bool guilty
    ) private {
        try _court.equivocation(one, first, other, second) {
            _judged(true, guilty);
        } catch {
            _judged(false, guilty);
        }
    }

    function _statement(uint256 slot, uint64 lie) private pure returns (Statement memory) {
        slot = slot % 500;
        bytes32 value = keccak256(abi.encode(slot, lie));
        return Statement(uint8(1 + slot % 6), 1 + slot % 2, uint64(slot / 50), uint64(slot / 5), uint64(slot % 5), value);
    }

    function _sign(uint256 key, Statement memory statement) private view returns (bytes32[2] memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(key, Statements.digest(statement, REGISTRY));
        return [r, vs];
    }
}

contract CourtTest is Kit {
    address private constant REGISTRY = address(0x1111111111111111111111111111111111111111);
    uint256 private constant KEY = 77;
    uint32 private constant CHUNKS = 3;
    uint256 private constant P0 = 70368743587841;
    uint256 private constant P1 = 70368743669761;

    Court private _court;
    SlashingDouble private _slashing;
    CourtHandler private _handler;

    function setUp() public {
        _slashing = new SlashingDouble();
        _court = new Court(REGISTRY, ISlashingManager(address(_slashing)), 0.5e18, 0.5e18);
        _handler = new CourtHandler();
        _target(address(_handler));
    }

    /// @dev A call to where there is no precompile succeeds and answers nothing, and what stands in memory is taken.
    function test_noCourtWithoutSha256() public {
        vm.mockCall(address(2), "", "");
        vm.expectRevert();
        new Court(REGISTRY, ISlashingManager(address(_slashing)), 0.5e18, 0.5e18);
        vm.mockCall(address(2), "", abi.encode("whatever stands there"));
        vm.expectRevert(Sha256Merkle.NoSha256.selector);
        new Court(REGISTRY, ISlashingManager(address(_slashing)), 0.5e18, 0.5e18);
    }

    function invariant_honestStatementsNeverLose() public view {
        _handler.asExpected();
        vm.assertEq(_handler.slashing().times(_handler.honest()), 0);
    }

    // -- shared vectors

    function test_statementsAreThoseOfPython() public {
        string memory json = vm.readFile("../tests/vectors/statements.json");
        vm.chainId(vm.parseJsonUint(json, ".chain_id"));
        Statement memory statement = Statement(2, 3, 5, 27, 258, bytes32("vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"));
        vm.assertEq(vm.parseJsonUint(json, ".statement[4]"), statement.place);
        vm.assertEq(Statements.digest(statement, REGISTRY), vm.parseJsonBytes32(json, ".digest"));
        bytes memory signature = vm.parseJsonBytes(json, ".signature");
        (bytes32 r, bytes32 vs) = abi.decode(signature, (bytes32, bytes32));
        vm.assertEq(Statements.signer(statement, [r, vs], REGISTRY), vm.parseJsonAddress(json, ".signer"));
        bytes32[] memory roots = vm.parseJsonBytes32Array(json, ".sum.roots");
        bytes32 sumRoot = vm.parseJsonBytes32(json, ".sum.sum_root");
        vm.assertEq(Statements.sumValue(2, roots, 2, sumRoot), vm.parseJsonBytes32(json, ".sum.value"));
        bytes32 step = Statements.stepValue(_repeat("t"), _repeat("a"), _repeat("b"));
        vm.assertEq(step, vm.parseJsonBytes32(json, ".step"));
    }

    function test_leavesAndTreesAreThoseOfPython() public {
        string memory json = vm.readFile("../tests/vectors/merkle.json");
        for (uint256 i = 0; i < 2; ++i) {
            string memory where = string.concat(".leaves[", vm.toString(i), "]");
            uint256[] memory residues = vm.parseJsonUintArray(json, string.concat(where, ".residues"));
            ICourt.Position memory at = ICourt.Position(
                uint32(vm.parseJsonUint(json, string.concat(where, ".chunk"))),
                uint8(vm.parseJsonUint(json, string.concat(where, ".prime"))),
                uint32(vm.parseJsonUint(json, string.concat(where, ".index"))),
                0
            );
            bytes32 leaf = vm.parseBytes32(string.concat("0x", vm.parseJsonString(json, string.concat(where, ".leaf"))));
            vm.assertEq(_leaf(at, _pack(residues)), leaf);
            _oneRightSum(at, _pack(residues), leaf);
        }
        Climber climber = new Climber();
        for (uint256 i = 0; i < 3; ++i) {
            string memory where = string.concat(".trees[", vm.toString(i), "]");
            string[] memory leaves = vm.parseJsonStringArray(json, string.concat(where, ".leaves"));
            string[] memory hexes = vm.parseJsonStringArray(json, string.concat(where, ".paths['0']"));
            bytes32[] memory path = new bytes32[](hexes.length);
            for (uint256 j = 0; j < path.length; ++j) path[j] = vm.parseBytes32(string.concat("0x", hexes[j]));
            bytes32 first = vm.parseBytes32(string.concat("0x", leaves[0]));
            bytes32 root = vm.parseBytes32(string.concat("0x", vm.parseJsonString(json, string.concat(where, ".root"))));
            vm.assertEq(climber.root(first, 0, leaves.length, path), root);
        }
    }

    // -- equivocation

    function test_equivocation_isReported() public {
        Statement memory one = _vote("one");
        Statement memory other = _vote("other");
        bytes32 offence = _court.equivocation(one, _sign(one), other, _sign(other));
        vm.assertEq(_slashing.culprit(offence), vm.addr(KEY));
        Statement memory third = _vote("third");
        vm.assertEq(_court.equivocation(third, _sign(third), one, _sign(one)), offence);
    }

    function test_equivocation_byEpoch() public {
        Statement memory one = _vote("one");
        Statement memory other = _vote("one");
        other.epoch += 1;
        _court.equivocation(one, _sign(one), other, _sign(other));
        vm.assertEq(_slashing.reports(), 1);
    }

    function test_equivocation_honestStatementsNeverLose() public {
        Statement memory one = _vote("one");
        vm.expectRevert(ICourt.NoContradiction.selector);
        _court.equivocation(one, _sign(one), one, _sign(one));
        for (uint256 i = 0; i < 4; ++i) {
            Statement memory other = _vote("other");
            if (i == 0) other.kind += 1;
            if (i == 1) other.subnetId += 1;
            if (i == 2) other.height += 1;
            if (i == 3) other.place += 1;
            vm.expectRevert(ICourt.NoContradiction.selector);
            _court.equivocation(one, _sign(one), other, _sign(other));
        }
    }

    function test_equivocation_byOneSignerOnly() public {
        Statement memory one = _vote("one");
        Statement memory other = _vote("other");
        (bytes32 r, bytes32 vs) = vm.signCompact(KEY + 1, Statements.digest(other, REGISTRY));
        vm.expectRevert(
            abi.encodeWithSelector(ICourt.DifferentSigners.selector, vm.addr(KEY), vm.addr(KEY + 1))
        );
        _court.equivocation(one, _sign(one), other, [r, vs]);
    }

    function test_equivocation_noReplay() public {
        Statement memory one = _vote("one");
        Statement memory other = _vote("other");
        bytes32[2] memory here = _sign(one);
        uint256 chain = vm.getChainId();
        vm.chainId(999);
        bytes32[2] memory elsewhere = _sign(other);
        vm.chainId(chain);
        vm.expectPartialRevert(ICourt.DifferentSigners.selector);
        _court.equivocation(one, here, other, elsewhere);
        (bytes32 r, bytes32 vs) = vm.signCompact(KEY, Statements.digest(other, address(this)));
        vm.expectPartialRevert(ICourt.DifferentSigners.selector);
        _court.equivocation(one, here, other, [r, vs]);
        vm.assertEq(_slashing.reports(), 0);
    }

    // -- wrong sums

    function test_wrongSum_isReported(uint8 who, uint8 where) public {
        (ICourt.Sum memory sum, ICourt.Position memory at, ICourt.Leaf[] memory all, ICourt.Leaf memory result) =
            _case(3, 1);
        uint256 shift = 64 * (where % 4);
        result.residues[who % 16] = bytes32(uint256(result.residues[who % 16]) ^ 1 << shift);
        sum.sumRoot = _root(_leaf(at, result.residues), at, at.summedAt, sum.summed, result.path);
        bytes32 offence = _court.wrongSum(sum, _signSum(sum), at, all, result);
        vm.assertEq(_slashing.culprit(offence), vm.addr(KEY));
    }

    function test_wrongSum_rightSumsNeverLose(uint8 prime, uint8 index, uint8 count) public {
        (ICourt.Sum memory sum, ICourt.Position memory at, ICourt.Leaf[] memory all, ICourt.Leaf memory result) =
            _caseAt(uint256(count) % 16 + 1, prime % 2, index % 64);
        bytes32[2] memory signature = _signSum(sum);
        vm.expectRevert(ICourt.SumIsRight.selector);
        _court.wrongSum(sum, signature, at, all, result);
    }

    /// @dev Whoever could bring a leaf of its own could make any sum look wrong.
    function test_wrongSum_leavesAreThoseOfTheRoots() public {
        (ICourt.Sum memory sum, ICourt.Position memory at, ICourt.Leaf[] memory all, ICourt.Leaf memory result) =
            _case(2, 0);
        bytes32[2] memory signature = _signSum(sum);
        bytes32 kept = all[1].residues[3];
        all[1].residues[3] ^= bytes32(uint256(1));
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        _court.wrongSum(sum, signature, at, all, result);
        all[1].residues[3] = kept;
        at.index += 1;
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        _court.wrongSum(sum, signature, at, all, result);
        at.index -= 1;
        at.chunk = 0;
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        _court.wrongSum(sum, signature, at, all, result);
    }

    function test_wrongSum_needsEveryContributor() public {
        (ICourt.Sum memory sum, ICourt.Position memory at, ICourt.Leaf[] memory all, ICourt.Leaf memory result) =
            _case(3, 0);
        ICourt.Leaf[] memory fewer = new ICourt.Leaf[](2);
        (fewer[0], fewer[1]) = (all[0], all[1]);
        bytes32[2] memory signature = _signSum(sum);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WrongCount.selector, 2, 3));
        _court.wrongSum(sum, signature, at, fewer, result);
    }

    function test_wrongSum_positionsExist() public {
        (ICourt.Sum memory sum, ICourt.Position memory at, ICourt.Leaf[] memory all, ICourt.Leaf memory result) =
            _case(2, 0);
        bytes32[2] memory signature = _signSum(sum);
        at.prime = 2;
        vm.expectPartialRevert(ICourt.NoSuchPosition.selector);
        _court.wrongSum(sum, signature, at, all, result);
        (at.prime, at.index) = (0, 64);
        vm.expectPartialRevert(ICourt.NoSuchPosition.selector);
        _court.wrongSum(sum, signature, at, all, result);
        (at.index, at.chunk) = (5, CHUNKS);
        vm.expectPartialRevert(Sha256Merkle.NoSuchLeaf.selector);
        _court.wrongSum(sum, signature, at, all, result);
    }

    function test_wrongSum_pathsAreExact() public {
        (ICourt.Sum memory sum, ICourt.Position memory at, ICourt.Leaf[] memory all, ICourt.Leaf memory result) =
            _case(1, 0);
        bytes32[2] memory signature = _signSum(sum);
        bytes32[] memory path = all[0].path;
        all[0].path = new bytes32[](path.length - 1);
        for (uint256 i = 0; i < path.length - 1; ++i) all[0].path[i] = path[i];
        vm.expectPartialRevert(Sha256Merkle.PathTooShort.selector);
        _court.wrongSum(sum, signature, at, all, result);
        all[0].path = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; ++i) all[0].path[i] = path[i];
        vm.expectPartialRevert(Sha256Merkle.PathTooLong.selector);
        _court.wrongSum(sum, signature, at, all, result);
    }

    function test_wrongSum_costs() public {
        (ICourt.Sum memory sum, ICourt.Position memory at, ICourt.Leaf[] memory all, ICourt.Leaf memory result) =
            _case(16, 1);
        result.residues[15] ^= bytes32(uint256(1));
        sum.sumRoot = _root(_leaf(at, result.residues), at, at.summedAt, sum.summed, result.path);
        bytes32[2] memory signature = _signSum(sum);
        bytes memory call = abi.encodeCall(Court.wrongSum, (sum, signature, at, all, result));
        uint256 left = gasleft();
        _court.wrongSum(sum, signature, at, all, result);
        // A transaction's own 21,000, and 40 a byte of data: more than any of it costs (EIP-7623).
        _atMostGas(left - gasleft() + 21_000 + 40 * call.length, 2_000_000);
    }

    // -- helpers

    function _vote(bytes32 value) private pure returns (Statement memory) {
        return Statement(KIND_VOTE, 1, 7, 35, 2 << 8 | 1, value);
    }

    function _sign(Statement memory statement) private view returns (bytes32[2] memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(KEY, Statements.digest(statement, REGISTRY));
        return [r, vs];
    }

    function _signSum(ICourt.Sum memory sum) private view returns (bytes32[2] memory) {
        bytes32 value = Statements.sumValue(sum.chunks, sum.roots, sum.summed, sum.sumRoot);
        return _sign(Statement(KIND_AGGREGATE, sum.subnetId, sum.epoch, sum.height, sum.cell, value));
    }

    function _case(uint256 count, uint8 prime)
        private
        pure
        returns (ICourt.Sum memory, ICourt.Position memory, ICourt.Leaf[] memory, ICourt.Leaf memory)
    {
        return _caseAt(count, prime, 5);
    }

    /// @dev A right sum of `count` updates of three chunks, of which the aggregator added the last two.
    function _caseAt(uint256 count, uint8 prime, uint32 index)
        private
        pure
        returns (
            ICourt.Sum memory sum,
            ICourt.Position memory at,
            ICourt.Leaf[] memory all,
            ICourt.Leaf memory result
        )
    {
        at = ICourt.Position(1, prime, index, 0);
        sum = ICourt.Sum(1, 7, 35, 2, CHUNKS, new bytes32[](count), 2, 0);
        all = new ICourt.Leaf[](count);
        uint256[] memory total = new uint256[](64);
        uint256 modulus = prime == 0 ? P0 : P1;
        for (uint256 i = 0; i < count; ++i) {
            uint256[] memory residues = new uint256[](64);
            for (uint256 j = 0; j < 64; ++j) {
                residues[j] = modulus - 1 - uint256(keccak256(abi.encode(i, j))) % 1000;
                total[j] = (total[j] + residues[j]) % modulus;
            }
            all[i] = ICourt.Leaf(_pack(residues), _path(9, i));
            sum.roots[i] = _root(_leaf(at, all[i].residues), at, at.chunk, CHUNKS, all[i].path);
        }
        result = ICourt.Leaf(_pack(total), _path(8, 99));
        sum.sumRoot = _root(_leaf(at, result.residues), at, at.summedAt, 2, result.path);
    }

    function _oneRightSum(ICourt.Position memory at, bytes32[16] memory residues, bytes32 leaf) private {
        ICourt.Leaf[] memory all = new ICourt.Leaf[](1);
        all[0] = ICourt.Leaf(residues, _path(10, 1));
        ICourt.Sum memory sum = ICourt.Sum(1, 7, 35, 2, 8, new bytes32[](1), 1, 0);
        sum.roots[0] = _root(leaf, at, at.chunk, 8, all[0].path);
        ICourt.Leaf memory result = ICourt.Leaf(residues, _path(7, 2));
        sum.sumRoot = _root(leaf, at, 0, 1, result.path);
        bytes32[2] memory signature = _signSum(sum);
        vm.expectRevert(ICourt.SumIsRight.selector);
        _court.wrongSum(sum, signature, at, all, result);
    }

    function _repeat(bytes1 letter) private pure returns (bytes32 word) {
        for (uint256 i = 0; i < 32; ++i) word |= bytes32(letter) >> (8 * i);
    }

    function _path(uint256 length, uint256 salt) private pure returns (bytes32[] memory path) {
        path = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) path[i] = keccak256(abi.encode("sibling", salt, i));
    }

    function _pack(uint256[] memory residues) private pure returns (bytes32[16] memory words) {
        for (uint256 i = 0; i < 64; ++i) words[i / 4] |= bytes32(residues[i] << (192 - 64 * (i % 4)));
    }

    function _leaf(ICourt.Position memory at, bytes32[16] memory residues) private pure returns (bytes32) {
        bytes memory packed;
        for (uint256 i = 0; i < 16; ++i) packed = bytes.concat(packed, residues[i]);
        return sha256(abi.encodePacked(uint8(0), at.chunk, at.prime, at.index, packed));
    }

    /// @dev The root to which a path leads, the trees as in protocols/merkle.py, written once more.
    function _root(bytes32 node, ICourt.Position memory at, uint256 place, uint256 count, bytes32[] memory path)
        private
        pure
        returns (bytes32)
    {
        uint256 position = uint256(at.prime) * 64 + at.index;
        for (uint256 i = 0; i < 7; ++i) {
            node = position >> i & 1 == 0 ? _node(node, path[i]) : _node(path[i], node);
        }
        uint256 next = 7;
        for (; count > 1; (count, place) = ((count + 1) / 2, place / 2)) {
            if (place == count - 1 && count % 2 == 1) continue;
            node = place % 2 == 0 ? _node(node, path[next]) : _node(path[next], node);
            ++next;
        }
        return node;
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(bytes.concat(bytes1(0x01), left, right));
    }
}
