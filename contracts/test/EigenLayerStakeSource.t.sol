// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {EigenLayerStakeSource} from "../src/EigenLayerStakeSource.sol";
import {IAVSRegistrar, IAllocationManager, IDelegationManager} from "../src/interfaces/IEigenLayer.sol";
import {IEigenLayerStakeSource} from "../src/interfaces/IEigenLayerStakeSource.sol";
import {IStakeSource} from "../src/interfaces/IStakeSource.sol";
import {Powers, bound} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";

/// @notice EigenLayer's AllocationManager and DelegationManager as their documents say that they behave, as far as we use
///         them; written from these. One set of one AVS; magnitudes, and shares in the queue, as in the real ones.
contract EigenLayerDouble is IAllocationManager, IDelegationManager {
    uint32 public constant DEALLOCATION_DELAY = 200;
    uint32 public constant minWithdrawalDelayBlocks = 100;
    uint64 private constant WHOLE = 1e18;

    struct Queued {
        uint256 scaled;
        uint256 until;
    }

    mapping(address operator => mapping(address strategy => uint256)) public operatorShares;
    mapping(address account => bool) public isOperator;
    mapping(address operator => mapping(address strategy => Queued[])) private _queue;
    mapping(address operator => mapping(address strategy => uint64)) private _slashed;
    mapping(address operator => mapping(bytes32 set => mapping(address strategy => Allocation))) private _allocations;
    mapping(address operator => mapping(bytes32 set => bool)) private _members;
    mapping(address operator => mapping(bytes32 set => uint256)) private _slashableUntil;
    mapping(address avs => address) public registrars;
    mapping(address avs => uint256) public sets;
    mapping(address avs => string) public metadata;

    function become(address operator) external {
        isOperator[operator] = true;
    }

    function delegate(address operator, address strategy, uint256 shares) external {
        operatorShares[operator][strategy] += shares;
    }

    /// @dev A delegator asks for shares back: they count no more, and stay slashable for the withdrawal delay.
    function queueWithdrawal(address operator, address strategy, uint256 shares) external {
        operatorShares[operator][strategy] -= shares;
        uint256 scaled = shares * WHOLE / getMaxMagnitude(operator, strategy);
        _queue[operator][strategy].push(Queued(scaled, vm.getBlockNumber() + minWithdrawalDelayBlocks));
    }

    /// @dev More is allocated at once, less after the delay if it could be slashed, else at once.
    function modifyAllocation(address operator, address avs, address strategy, uint64 magnitude) external {
        bytes32 set = _key(avs, 0);
        Allocation memory held = getAllocation(operator, OperatorSet(avs, 0), strategy);
        require(held.pendingDiff == 0, "pending");
        require(magnitude <= getMaxMagnitude(operator, strategy), "magnitude");
        bool slashable = _isSlashable(operator, set) && held.currentMagnitude > 0;
        if (magnitude < held.currentMagnitude && slashable) {
            held.pendingDiff = int128(uint128(magnitude)) - int128(uint128(held.currentMagnitude));
            held.effectBlock = uint32(vm.getBlockNumber()) + DEALLOCATION_DELAY + 1;
        } else {
            held.currentMagnitude = magnitude;
        }
        _allocations[operator][set][strategy] = held;
    }

    function join(address operator, address avs, uint32 set) external {
        require(!_isSlashable(operator, _key(avs, set)), "already a member");
        uint32[] memory ids = new uint32[](1);
        ids[0] = set;
        _members[operator][_key(avs, set)] = true;
        IAVSRegistrar(avs).registerOperator(operator, avs, ids, "");
    }

    function quit(address operator, address avs, uint32 set) external {
        require(_members[operator][_key(avs, set)], "not a member");
        uint32[] memory ids = new uint32[](1);
        ids[0] = set;
        _members[operator][_key(avs, set)] = false;
        _slashableUntil[operator][_key(avs, set)] = vm.getBlockNumber() + DEALLOCATION_DELAY;
        IAVSRegistrar(avs).deregisterOperator(operator, avs, ids);
    }

    function updateAVSMetadataURI(address avs, string calldata uri) external {
        require(msg.sender == avs, "not the AVS");
        metadata[avs] = uri;
    }

    function setAVSRegistrar(address avs, address registrar) external {
        require(msg.sender == avs && bytes(metadata[avs]).length > 0, "no metadata");
        require(IAVSRegistrar(registrar).supportsAVS(avs), "unsupported");
        registrars[avs] = registrar;
    }

    function createOperatorSets(address avs, CreateSetParams[] calldata params) external {
        require(msg.sender == avs, "not the AVS");
        sets[avs] += params.length;
    }

    function slashOperator(address avs, SlashingParams calldata params) external {
        require(msg.sender == avs, "not the AVS");
        bytes32 set = _key(avs, params.operatorSetId);
        require(_isSlashable(params.operator, set), "not slashable");
        for (uint256 i = 0; i < params.strategies.length; ++i) {
            require(params.wadsToSlash[i] > 0 && params.wadsToSlash[i] <= WHOLE, "wad");
            require(i == 0 || params.strategies[i] > params.strategies[i - 1], "order");
            _slash(params.operator, set, params.strategies[i], params.wadsToSlash[i]);
        }
    }

    function getMinimumSlashableStake(
        OperatorSet calldata set,
        address[] calldata operators,
        address[] calldata strategies,
        uint32 futureBlock
    ) external view returns (uint256[][] memory found) {
        found = new uint256[][](operators.length);
        for (uint256 i = 0; i < operators.length; ++i) {
            found[i] = new uint256[](strategies.length);
            for (uint256 j = 0; j < strategies.length; ++j) {
                uint256 whole = getMaxMagnitude(operators[i], strategies[j]);
                if (whole == 0) continue;
                Allocation memory held = getAllocation(operators[i], set, strategies[j]);
                if (held.pendingDiff < 0 && held.effectBlock <= futureBlock) held = _done(held);
                found[i][j] = operatorShares[operators[i]][strategies[j]] * held.currentMagnitude / whole;
            }
        }
    }

    function isMemberOfOperatorSet(address operator, OperatorSet calldata set) external view returns (bool) {
        return _members[operator][_key(set.avs, set.id)];
    }

    function isOperatorSlashable(address operator, OperatorSet calldata set) external view returns (bool) {
        return _isSlashable(operator, _key(set.avs, set.id));
    }

    function getAllocation(address operator, OperatorSet memory set, address strategy)
        public
        view
        returns (Allocation memory held)
    {
        held = _allocations[operator][_key(set.avs, set.id)][strategy];
        if (held.pendingDiff != 0 && held.effectBlock <= vm.getBlockNumber()) held = _done(held);
    }

    function getMaxMagnitude(address operator, address strategy) public view returns (uint64) {
        return WHOLE - _slashed[operator][strategy];
    }

    function getSlashableSharesInQueue(address operator, address strategy) external view returns (uint256 shares) {
        Queued[] storage queue = _queue[operator][strategy];
        for (uint256 i = 0; i < queue.length; ++i) {
            if (vm.getBlockNumber() <= queue[i].until) {
                shares += queue[i].scaled * getMaxMagnitude(operator, strategy) / WHOLE;
            }
        }
    }

    /// @dev A part of what is allocated, rounded up, is gone for good; so are that part of the shares, queued ones too.
    function _slash(address operator, bytes32 set, address strategy, uint256 wad) private {
        Allocation memory held = getAllocation(operator, OperatorSet(msg.sender, 0), strategy);
        if (held.currentMagnitude == 0) return;
        uint256 whole = getMaxMagnitude(operator, strategy);
        uint64 lost = uint64((uint256(held.currentMagnitude) * wad + WHOLE - 1) / WHOLE);
        held.currentMagnitude -= lost;
        if (held.pendingDiff < 0) {
            held.pendingDiff += int128(uint128((uint256(uint128(-held.pendingDiff)) * wad + WHOLE - 1) / WHOLE));
        }
        _allocations[operator][set][strategy] = held;
        _slashed[operator][strategy] += lost;
        uint256 shares = operatorShares[operator][strategy];
        operatorShares[operator][strategy] = shares - (shares * lost + whole - 1) / whole;
    }

    function _isSlashable(address operator, bytes32 set) private view returns (bool) {
        return _members[operator][set] || vm.getBlockNumber() <= _slashableUntil[operator][set];
    }

    function _done(Allocation memory held) private pure returns (Allocation memory) {
        return Allocation(uint64(uint128(int128(uint128(held.currentMagnitude)) + held.pendingDiff)), 0, 0);
    }

    function _key(address avs, uint32 set) private pure returns (bytes32) {
        return keccak256(abi.encode(avs, set));
    }
}

/// @notice Two operators are delegated to, leave and come back, are noted and slashed, several times for one time.
contract EigenHandler is Handler {
    EigenLayerDouble private _eigen;
    EigenLayerStakeSource private _source;
    address[2] private _people;
    address private _strategy;
    uint256 private _offences;
    uint256 public beyond;
    uint256 public escaped;
    /// @dev When each was noted, with how much; and what was taken for each of these times.
    uint48[] private _times;
    mapping(address operator => mapping(uint48 when => uint256)) private _then;
    mapping(address operator => mapping(uint48 when => uint256)) private _taken;

    constructor() {
        (_people, _strategy) = ([_name("ann"), _name("bob")], _name("strategy"));
        _eigen = new EigenLayerDouble();
        address[] memory strategies = new address[](1);
        uint96[] memory weights = new uint96[](1);
        (strategies[0], weights[0]) = (_strategy, 1e18);
        _source =
            new EigenLayerStakeSource(_eigen, _eigen, strategies, weights, 12, address(new Powers(address(this))));
        for (uint256 i = 0; i < 2; ++i) {
            _eigen.become(_people[i]);
            _eigen.join(_people[i], address(_source), 0);
            _eigen.delegate(_people[i], _strategy, 1e24);
            _eigen.modifyAllocation(_people[i], address(_source), _strategy, 0.5e18);
        }
        _note();
    }

    function delegate(uint256 who, uint256 amount) external {
        _eigen.delegate(_people[who % 2], _strategy, bound(amount, 1e9, 1e24));
        _note();
        _told(true);
    }

    function withdraw(uint256 who, uint256 amount) external {
        uint256 held = _eigen.operatorShares(_people[who % 2], _strategy);
        vm.assume(held > 1e9 && _eigen.getMaxMagnitude(_people[who % 2], _strategy) > 0);
        _eigen.queueWithdrawal(_people[who % 2], _strategy, bound(amount, 1e9, held));
        _note();
        _told(true);
    }

    function allocate(uint256 who, uint64 magnitude) external {
        uint64 whole = _eigen.getMaxMagnitude(_people[who % 2], _strategy);
        try _eigen.modifyAllocation(_people[who % 2], address(_source), _strategy, uint64(bound(magnitude, 0, whole))) {
            _note();
            _told(true);
        } catch {
            _told(false);
        }
    }

    function leaveOrCome(uint256 who) external {
        IAllocationManager.OperatorSet memory set = IAllocationManager.OperatorSet(address(_source), 0);
        address person = _people[who % 2];
        bool member = _eigen.isMemberOfOperatorSet(person, set);
        if (!member && _eigen.isOperatorSlashable(person, set)) {
            vm.roll(vm.getBlockNumber() + _eigen.DEALLOCATION_DELAY() + 1);
            vm.warp(vm.getBlockTimestamp() + 12 * uint256(_eigen.DEALLOCATION_DELAY() + 1));
        }
        if (member) _eigen.quit(person, address(_source), 0);
        else _eigen.join(person, address(_source), 0);
        _note();
        _told(_eigen.isMemberOfOperatorSet(person, set) != member, true);
    }

    function slash(uint256 who, uint256 which, uint64 share) external {
        address person = _people[who % 2];
        // Of late, since all that is older than the exit delay is no one's any more.
        uint48 when = _times[_times.length - 1 - which % (_times.length < 8 ? _times.length : 8)];
        uint256 most = _source.slashableStake(person, when);
        uint256 taken = _source.slash(person, when, uint64(bound(share, 1, 1e18)), bytes32(++_offences));
        // EigenLayer's shares have 18 places: what it takes is less by at most that part of all there is.
        if (taken > most + 1e8) ++beyond;
        _taken[person][when] += taken;
        if (_taken[person][when] > _then[person][when] + 1e8) ++beyond;
        _told(taken > 0);
    }

    /// @dev An offence, and its slash after the operator has left by all the ways there are: all of it is taken.
    function offendAndRun(uint256 who, uint256 blocks) external {
        address person = _people[who % 2];
        uint48 when = uint48(vm.getBlockTimestamp());
        uint256 votes = _source.note(person);
        uint256 slashable = _source.slashableStake(person, when);
        vm.assume(slashable > 1e12);
        uint256 before = vm.snapshotState();
        IAllocationManager.OperatorSet memory set = IAllocationManager.OperatorSet(address(_source), 0);
        if (_eigen.getAllocation(person, set, _strategy).pendingDiff == 0) {
            _eigen.modifyAllocation(person, address(_source), _strategy, 0);
        }
        if (_eigen.isMemberOfOperatorSet(person, set)) _eigen.quit(person, address(_source), 0);
        _eigen.queueWithdrawal(person, _strategy, _eigen.operatorShares(person, _strategy));
        _source.note(person);
        blocks = bound(blocks, 0, 1) * _eigen.minWithdrawalDelayBlocks();
        vm.roll(vm.getBlockNumber() + blocks);
        vm.warp(vm.getBlockTimestamp() + 12 * blocks);
        uint256 taken = _source.slash(person, when, 1e18, bytes32(++_offences));
        vm.assertTrue(vm.revertToState(before), "back");
        // What was asked back before the offence, and did not vote, may have become free meanwhile.
        if (taken + 1e8 < (blocks == 0 ? slashable : votes)) ++escaped;
        _told(true);
    }

    function wait(uint256 time) external {
        uint256 blocks = bound(time, 1, 40);
        vm.roll(vm.getBlockNumber() + blocks);
        vm.warp(vm.getBlockTimestamp() + 12 * blocks);
        _note();
        _told(true);
    }

    function _note() private {
        uint48 present = uint48(vm.getBlockTimestamp());
        _times.push(present);
        for (uint256 i = 0; i < 2; ++i) {
            _source.note(_people[i]);
            // What it noted is what it takes at most now.
            uint256 noted = _source.slashableStake(_people[i], present);
            if (noted > _then[_people[i]][present]) _then[_people[i]][present] = noted;
        }
    }
}

contract EigenLayerStakeSourceTest is Kit {
    EigenHandler private _handler;
    EigenLayerDouble private _eigen;
    EigenLayerStakeSource private _source;
    address private _op;
    address private _first;
    address private _second;

    function setUp() public {
        (_op, _first, _second) = (_name("operator"), _name("strategy 1"), _name("strategy 2"));
        _handler = new EigenHandler();
        _target(address(_handler));
        if (_first > _second) (_first, _second) = (_second, _first);
        _eigen = new EigenLayerDouble();
        address[] memory strategies = new address[](2);
        uint96[] memory weights = new uint96[](2);
        (strategies[0], strategies[1]) = (_first, _second);
        (weights[0], weights[1]) = (1e18, 0.5e18);
        _source = new EigenLayerStakeSource(_eigen, _eigen, strategies, weights, 12, address(new Powers(address(this))));
        _eigen.become(_op);
        _eigen.join(_op, address(_source), 0);
        _eigen.delegate(_op, _first, 6e18);
        _eigen.delegate(_op, _second, 8e18);
        _eigen.modifyAllocation(_op, address(_source), _first, 1e18);
        _eigen.modifyAllocation(_op, address(_source), _second, 1e18);
    }

    function test_strategiesAreDistinctAndOrdered() public {
        address[] memory twice = new address[](2);
        (twice[0], twice[1]) = (_second, _second);
        Powers powers = new Powers(address(this));
        vm.expectRevert(abi.encodeWithSelector(IEigenLayerStakeSource.StrategiesNotAscending.selector, _second));
        new EigenLayerStakeSource(_eigen, _eigen, twice, new uint96[](2), 12, address(powers));
        vm.expectRevert(abi.encodeWithSelector(IEigenLayerStakeSource.LengthsDiffer.selector, 2, 1));
        new EigenLayerStakeSource(_eigen, _eigen, twice, new uint96[](1), 12, address(powers));
        vm.expectRevert(abi.encodeWithSelector(IEigenLayerStakeSource.LengthsDiffer.selector, 0, 0));
        new EigenLayerStakeSource(_eigen, _eigen, new address[](0), new uint96[](0), 12, address(powers));
    }

    function test_itEnrolsItself() public {
        _source.enrol("ipfs://about");
        vm.assertEq(_eigen.registrars(address(_source)), address(_source));
        vm.assertEq(_eigen.sets(address(_source)), 1);
        (address[] memory strategies, uint96[] memory weights) = _source.strategies();
        vm.assertEq(strategies[1], _second);
        vm.assertEq(weights[1], 0.5e18);
    }

    function test_onlyTheTimelockEnrols() public {
        vm.prank(_op);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _op));
        _source.enrol("ipfs://about");
    }

    function test_anOperatorEntersAndLeaves() public {
        vm.expectEmit(true, false, false, true, address(_source));
        emit IEigenLayerStakeSource.OperatorLeft(_op);
        _eigen.quit(_op, address(_source), 0);
        vm.roll(vm.getBlockNumber() + 201);
        vm.expectEmit(true, false, false, true, address(_source));
        emit IEigenLayerStakeSource.OperatorEntered(_op);
        _eigen.join(_op, address(_source), 0);
    }

    function test_onlyTheAllocationManagerRegisters() public {
        vm.expectRevert(
            abi.encodeWithSelector(IEigenLayerStakeSource.NotAllocationManager.selector, address(this))
        );
        _source.registerOperator(_op, address(_source), new uint32[](1), "");
        vm.expectRevert(
            abi.encodeWithSelector(IEigenLayerStakeSource.NotAllocationManager.selector, address(this))
        );
        _source.deregisterOperator(_op, address(_source), new uint32[](1));
    }

    function test_onlyOurSetIsServed() public {
        vm.expectRevert(abi.encodeWithSelector(IEigenLayerStakeSource.WrongOperatorSet.selector, address(_source)));
        _eigen.join(_op, address(_source), 1);
        vm.prank(address(_eigen));
        vm.expectRevert(abi.encodeWithSelector(IEigenLayerStakeSource.WrongOperatorSet.selector, address(this)));
        _source.registerOperator(_op, address(this), new uint32[](1), "");
    }

    function test_onlyEigenLayersOperatorsEnter() public {
        address stranger = _name("stranger");
        vm.expectRevert(abi.encodeWithSelector(IEigenLayerStakeSource.NotEigenLayerOperator.selector, stranger));
        _eigen.join(stranger, address(_source), 0);
    }

    function test_stakeIsWeighedOverStrategies() public view {
        vm.assertEq(_source.stake(_op), 10e18);
    }

    function test_whoIsNoMemberHasNoStake() public {
        _eigen.quit(_op, address(_source), 0);
        vm.assertEq(_source.stake(_op), 0);
        vm.assertEq(_source.note(_op), 0);
    }

    function test_whatIsOnItsWayOutDoesNotVote() public {
        _eigen.modifyAllocation(_op, address(_source), _first, 0.5e18);
        vm.assertEq(_source.stake(_op), 7e18);
        _eigen.queueWithdrawal(_op, _second, 4e18);
        vm.assertEq(_source.stake(_op), 5e18);
        _source.note(_op);
        vm.assertEq(_source.slashableStake(_op, uint48(vm.getBlockTimestamp())), 10e18);
    }

    function test_whoLeavesIsSlashed() public {
        uint48 offence = _offended();
        _eigen.quit(_op, address(_source), 0);
        _later(100);
        vm.assertEq(_source.note(_op), 0);
        vm.assertEq(_source.slashableStake(_op, offence), 10e18);
        vm.assertEq(_source.slash(_op, offence, 0.5e18, "one"), 5e18);
        vm.assertEq(_eigen.operatorShares(_op, _first), 3e18);
        // Who offends after it has left, while it could still be slashed, is slashed too.
        vm.assertEq(_source.slash(_op, uint48(vm.getBlockTimestamp()), 1e18, "two"), 5e18);
        vm.assertEq(_eigen.operatorShares(_op, _second), 0);
    }

    function test_whoLeavesInTheSameBlockIsSlashed() public {
        uint48 offence = _offended();
        _eigen.quit(_op, address(_source), 0);
        _source.note(_op);
        vm.assertEq(_source.slash(_op, offence, 1e18, "one"), 10e18);
        vm.assertEq(_eigen.operatorShares(_op, _first) + _eigen.operatorShares(_op, _second), 0);
    }

    function test_whoDeallocatesIsSlashed() public {
        uint48 offence = _offended();
        _eigen.modifyAllocation(_op, address(_source), _first, 0);
        _eigen.modifyAllocation(_op, address(_source), _second, 0);
        _later(100);
        vm.assertEq(_source.note(_op), 0);
        vm.assertEq(_source.slash(_op, offence, 0.5e18, "one"), 5e18);
    }

    function test_whatIsQueuedToBeWithdrawnIsSlashed() public {
        uint48 offence = _offended();
        _eigen.queueWithdrawal(_op, _first, 6e18);
        _eigen.queueWithdrawal(_op, _second, 8e18);
        _later(100);
        vm.assertEq(_source.note(_op), 0);
        vm.assertEq(_source.slash(_op, offence, 0.5e18, "one"), 5e18);
        vm.assertEq(_eigen.getSlashableSharesInQueue(_op, _first), 3e18);
        vm.assertEq(_source.slash(_op, offence, 1e18, "two"), 5e18);
        vm.assertEq(_eigen.getSlashableSharesInQueue(_op, _second), 0);
        vm.assertEq(_source.slash(_op, offence, 1e18, "three"), 0);
    }

    function test_afterSlashableUntilNothingIsTaken() public {
        _eigen.quit(_op, address(_source), 0);
        vm.roll(vm.getBlockNumber() + 200);
        _source.note(_op);
        uint48 offence = uint48(vm.getBlockTimestamp());
        vm.assertEq(_source.slashableStake(_op, offence), 10e18);
        vm.roll(vm.getBlockNumber() + 1);
        vm.assertEq(_source.slashableStake(_op, offence), 0);
        vm.assertEq(_source.slash(_op, offence, 1e18, "one"), 0);
        vm.assertEq(_eigen.operatorShares(_op, _first), 6e18);
    }

    function test_aSlashAsksForTheShare() public {
        _source.note(_op);
        vm.assertEq(_source.slash(_op, uint48(vm.getBlockTimestamp()), 0.25e18, "one"), 2.5e18);
        vm.assertEq(_eigen.operatorShares(_op, _first), 4.5e18);
        vm.assertEq(_eigen.operatorShares(_op, _second), 6e18);
        vm.assertEq(_source.stake(_op), 7.5e18);
    }

    function test_aSlashIsBoundedByWhatWasNoted() public {
        _source.note(_op);
        uint48 offence = uint48(vm.getBlockTimestamp());
        vm.warp(vm.getBlockTimestamp() + 60);
        _eigen.delegate(_op, _first, 10e18);
        vm.assertEq(_source.slashableStake(_op, offence), 10e18);
        vm.assertEq(_source.slash(_op, offence, 1e18, "one"), 10e18);
        vm.assertEq(_source.stake(_op), 10e18);
    }

    function test_withoutANoteNothingIsSlashed() public {
        uint48 offence = uint48(vm.getBlockTimestamp());
        vm.assertEq(_source.slash(_op, offence, 1e18, "one"), 0);
        _source.note(_op);
        vm.warp(vm.getBlockTimestamp() + 1201);
        vm.assertEq(_source.slash(_op, offence, 1e18, "two"), 0);
        vm.assertEq(_source.stake(_op), 10e18);
    }

    function test_slashesAddUpToNoMoreThanWasNoted() public {
        _source.note(_op);
        uint48 offence = uint48(vm.getBlockTimestamp());
        vm.warp(vm.getBlockTimestamp() + 60);
        _eigen.delegate(_op, _first, 90e18);
        uint256 sum = _source.slash(_op, offence, 0.5e18, "one") + _source.slash(_op, offence, 1e18, "two");
        vm.assertEq(_source.slash(_op, offence, 1e18, "three"), 0);
        vm.assertLe(sum, 10e18, "sum");
        vm.assertGe(sum, 10e18 - 1e6, "sum");
    }

    function test_badSlashesAreRefused() public {
        _source.slash(_op, uint48(vm.getBlockTimestamp()), 1, "one");
        vm.expectRevert(abi.encodeWithSelector(IStakeSource.AlreadySlashed.selector, bytes32("one")));
        _source.slash(_op, uint48(vm.getBlockTimestamp()), 1, "one");
        vm.expectRevert(abi.encodeWithSelector(IStakeSource.BadShare.selector, 0));
        _source.slash(_op, uint48(vm.getBlockTimestamp()), 0, "two");
        vm.expectRevert(abi.encodeWithSelector(IStakeSource.BadShare.selector, 1e18 + 1));
        _source.slash(_op, uint48(vm.getBlockTimestamp()), 1e18 + 1, "two");
        vm.assertEq(_source.slashableStake(_op, uint48(vm.getBlockTimestamp() + 1)), 0);
        vm.expectRevert(abi.encodeWithSelector(IStakeSource.OffenceInFuture.selector, uint48(vm.getBlockTimestamp() + 1)));
        _source.slash(_op, uint48(vm.getBlockTimestamp() + 1), 1, "two");
    }

    function test_onlyTheSlasherSlashes() public {
        vm.prank(_op);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _op));
        _source.slash(_op, uint48(vm.getBlockTimestamp()), 1, "one");
    }

    function invariant_slashesAreOfWhatWasNoted() public view {
        vm.assertEq(_handler.beyond(), 0);
    }

    function invariant_nobodyEscapesByLeaving() public view {
        vm.assertEq(_handler.escaped(), 0);
    }

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function test_theExitDelayIsEigenLayersShortest() public view {
        vm.assertEq(_source.exitDelay(), 1200);
    }

    /// @dev The time of an offence; all that the operator has was noted.
    function _offended() private returns (uint48) {
        _source.note(_op);
        return uint48(vm.getBlockTimestamp());
    }

    function _later(uint256 blocks) private {
        vm.roll(vm.getBlockNumber() + blocks);
        vm.warp(vm.getBlockTimestamp() + 12 * blocks);
    }
}
