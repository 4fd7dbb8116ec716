// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {EigenLayerStakeSource} from "../src/EigenLayerStakeSource.sol";
import {IAVSRegistrar, IAllocationManager, IDelegationManager} from "../src/interfaces/IEigenLayer.sol";
import {IEigenLayerStakeSource} from "../src/interfaces/IEigenLayerStakeSource.sol";
import {IStakeSource} from "../src/interfaces/IStakeSource.sol";
import {Powers, bound} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";

/// @notice EigenLayer as its published interface says that it behaves, as far as we use it.
contract EigenLayerDouble is IAllocationManager, IDelegationManager {
    mapping(address operator => mapping(address strategy => uint256)) public amounts;
    mapping(address account => bool) public isOperator;
    mapping(address operator => mapping(bytes32 set => bool)) private _members;
    mapping(address avs => address) public registrars;
    mapping(address avs => uint256) public sets;
    mapping(address avs => string) public metadata;

    function become(address operator) external {
        isOperator[operator] = true;
    }

    function allocate(address operator, address strategy, uint256 amount) external {
        amounts[operator][strategy] = amount;
    }

    function join(address operator, address avs, uint32 set) external {
        uint32[] memory ids = new uint32[](1);
        ids[0] = set;
        IAVSRegistrar(avs).registerOperator(operator, avs, ids, "");
        _members[operator][keccak256(abi.encode(avs, set))] = true;
    }

    function leave(address operator, address avs, uint32 set) external {
        uint32[] memory ids = new uint32[](1);
        ids[0] = set;
        IAVSRegistrar(avs).deregisterOperator(operator, avs, ids);
        _members[operator][keccak256(abi.encode(avs, set))] = false;
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
        for (uint256 i = 0; i < params.strategies.length; ++i) {
            require(params.wadsToSlash[i] > 0 && params.wadsToSlash[i] <= 1e18, "wad");
            uint256 amount = amounts[params.operator][params.strategies[i]];
            amounts[params.operator][params.strategies[i]] = amount - amount * params.wadsToSlash[i] / 1e18;
        }
    }

    function getMinimumSlashableStake(
        OperatorSet calldata,
        address[] calldata operators,
        address[] calldata strategies,
        uint32
    ) external view returns (uint256[][] memory found) {
        found = new uint256[][](operators.length);
        for (uint256 i = 0; i < operators.length; ++i) {
            found[i] = new uint256[](strategies.length);
            for (uint256 j = 0; j < strategies.length; ++j) {
                found[i][j] = amounts[operators[i]][strategies[j]];
            }
        }
    }

    function isMemberOfOperatorSet(address operator, OperatorSet calldata set) external view returns (bool) {
        return _members[operator][keccak256(abi.encode(set.avs, set.id))];
    }

    function DEALLOCATION_DELAY() external pure returns (uint32) {
        return 200;
    }

    function minWithdrawalDelayBlocks() external pure returns (uint32) {
        return 100;
    }
}

/// @notice Two operators allocate more and less, are noted and slashed, several times for one time.
contract EigenHandler is Handler {
    EigenLayerDouble private _eigen;
    EigenLayerStakeSource private _source;
    address[2] private _people;
    address private _strategy;
    uint256 private _offences;
    uint256 public beyond;
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
        }
        _note();
    }

    function allocate(uint256 who, uint256 amount) external {
        _eigen.allocate(_people[who % 2], _strategy, bound(amount, 1e9, 1e24));
        _note();
        _told(true);
    }

    function slash(uint256 who, uint256 which, uint64 share) external {
        address person = _people[who % 2];
        uint48 when = _times[which % _times.length];
        uint256 most = _source.slashableStake(person, when);
        uint256 taken = _source.slash(person, when, uint64(bound(share, 1, 1e18)), bytes32(++_offences));
        // EigenLayer's shares have 18 places: what it takes is less by at most that part of all there is.
        if (taken > most + 1e6) ++beyond;
        _taken[person][when] += taken;
        if (_taken[person][when] > _then[person][when] + 1e6) ++beyond;
        _told(true);
    }

    function wait(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + bound(time, 1, 500));
        _note();
        _told(true);
    }

    function _note() private {
        uint48 present = uint48(vm.getBlockTimestamp());
        _times.push(present);
        for (uint256 i = 0; i < 2; ++i) {
            uint256 noted = _source.note(_people[i]);
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
        _eigen.allocate(_op, _first, 6e18);
        _eigen.allocate(_op, _second, 8e18);
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
        _eigen.leave(_op, address(_source), 0);
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
        _eigen.leave(_op, address(_source), 0);
        vm.assertEq(_source.stake(_op), 0);
    }

    function test_aSlashAsksForTheShare() public {
        _source.note(_op);
        vm.assertEq(_source.slash(_op, uint48(vm.getBlockTimestamp()), 0.25e18, "one"), 2.5e18);
        vm.assertEq(_eigen.amounts(_op, _first), 4.5e18);
        vm.assertEq(_eigen.amounts(_op, _second), 6e18);
        vm.assertEq(_source.stake(_op), 7.5e18);
    }

    function test_aSlashIsBoundedByWhatWasNoted() public {
        _source.note(_op);
        uint48 offence = uint48(vm.getBlockTimestamp());
        vm.warp(vm.getBlockTimestamp() + 60);
        _eigen.allocate(_op, _first, 16e18);
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
        _eigen.allocate(_op, _first, 96e18);
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

    function afterInvariant() public view {
        _handler.asExpected();
    }

    function test_theExitDelayIsEigenLayersShortest() public view {
        vm.assertEq(_source.exitDelay(), 1200);
    }
}
