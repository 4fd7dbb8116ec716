// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {DatasetRegistry} from "../src/DatasetRegistry.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {IDatasetRegistry} from "../src/interfaces/IDatasetRegistry.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Ground} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";

/// @notice Three providers commit and supersede; a copy of every commitment is kept as it was first.
contract DatasetHandler is Handler {
    DatasetRegistry private _datasets;
    IDatasetRegistry.Dataset[] public first;
    address[3] private _people;

    constructor(DatasetRegistry datasets) {
        _datasets = datasets;
        _people = [_name("ann"), _name("bob"), _name("cyd")];
    }

    function commit(uint256 who, bytes32 root, uint64 rows, uint256 supersedes) external {
        address person = _people[who % 3];
        supersedes = first.length == 0 ? 0 : supersedes % (first.length + 1);
        bool fits = root != 0 && rows != 0 && (supersedes == 0 || _open(person, supersedes));
        // What must be refused is tried less often.
        vm.assume(fits || rows % 4 == 0);
        vm.prank(person);
        try _datasets.commit(1, "any", root, rows, supersedes, person, "") returns (uint256 id) {
            _told(id == first.length + 1, fits);
            first.push(_datasets.dataset(1, id));
        } catch {
            _told(false, fits);
        }
    }

    /// @notice Somebody else's root again, and its own: both are other commitments.
    function copy(uint256 which) external {
        vm.assume(first.length != 0);
        this.commit(which, first[which % first.length].root, 1, 0);
    }

    function count() external view returns (uint256) {
        return first.length;
    }

    function made(uint256 id) external view returns (IDatasetRegistry.Dataset memory) {
        return first[id - 1];
    }

    function _open(address person, uint256 id) private view returns (bool) {
        IDatasetRegistry.Dataset memory old = _datasets.dataset(1, id);
        return old.provider == person && old.supersededBy == 0;
    }
}

contract DatasetRegistryTest is Kit {
    DatasetHandler private _handler;

    uint256 private constant KEY = 0x5160E5;
    DatasetRegistry private _datasets;
    address private _hospital;
    address private _ann;

    function setUp() public {
        (_hospital, _ann) = (vm.addr(KEY), _name("provider"));
        Ground ground = new Ground(address(this));
        ISubnetRegistry.Terms memory terms = ground.terms(address(this), address(this));
        ground.SUBNETS().found(terms);
        terms.schema = "schema";
        ground.SUBNETS().found(terms);
        _datasets = new DatasetRegistry(ground.SUBNETS());
        _handler = new DatasetHandler(_datasets);
        _target(address(_handler));
    }

    function test_aProviderCommits() public {
        vm.assertEq(_commit("root", 0), 1);
        IDatasetRegistry.Dataset memory made = _datasets.dataset(1, 1);
        vm.assertEq(made.provider, _ann);
        vm.assertEq(made.signer, _ann);
        vm.assertEq(made.root, "root");
        vm.assertEq(made.rows, 5);
        vm.assertEq(_datasets.datasetCount(1), 1);
        vm.assertEq(_datasets.datasetCount(2), 0);
    }

    function test_aSignersWordIsForOneCommitment() public {
        bytes memory word = _sign(_ann, "root");
        vm.prank(_ann);
        _datasets.commit(1, "any", "root", 5, 0, _hospital, word);
        vm.assertEq(_datasets.dataset(1, 1).signer, _hospital);
        bytes memory wrong = abi.encodeWithSelector(IDatasetRegistry.WrongSignature.selector, _hospital);
        vm.expectRevert(wrong);
        _datasets.commit(1, "any", "root", 5, 0, _hospital, word);
        vm.prank(_ann);
        vm.expectRevert(wrong);
        _datasets.commit(1, "any", "other", 5, 0, _hospital, word);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.WrongSignature.selector, address(0)));
        _datasets.commit(1, "any", "root", 5, 0, address(0), word);
    }

    function test_aSignatureOfAnotherChainIsRefused() public {
        bytes memory word = _sign(_ann, "root");
        vm.chainId(vm.getChainId() + 1);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.WrongSignature.selector, _hospital));
        _datasets.commit(1, "any", "root", 5, 0, _hospital, word);
    }

    function test_theSchemaIsTheSubnets() public {
        vm.expectRevert(
            abi.encodeWithSelector(IDatasetRegistry.WrongSchema.selector, 2, bytes32("any"), bytes32("schema"))
        );
        _datasets.commit(2, "any", "root", 5, 0, address(this), "");
        _datasets.commit(2, "schema", "root", 5, 0, address(this), "");
    }

    function test_nothingIsNoDataset() public {
        vm.expectRevert(IDatasetRegistry.EmptyDataset.selector);
        _datasets.commit(1, "any", 0, 5, 0, address(this), "");
        vm.expectRevert(IDatasetRegistry.EmptyDataset.selector);
        _datasets.commit(1, "any", "root", 0, 0, address(this), "");
        vm.expectRevert(abi.encodeWithSelector(ISubnetRegistry.UnknownSubnet.selector, 3));
        _datasets.commit(3, "any", "root", 5, 0, address(this), "");
    }

    function test_aCommitmentIsImmutable() public {
        _commit("old", 0);
        vm.assertEq(_commit("new", 1), 2);
        vm.assertEq(_datasets.dataset(1, 1).root, "old");
        vm.assertEq(_datasets.dataset(1, 1).supersededBy, 2);
        vm.assertEq(_datasets.dataset(1, 2).supersedes, 1);
        vm.assertEq(_datasets.dataset(1, 2).supersededBy, 0);
    }

    function test_onlyOnesOwnCurrentCommitmentIsSuperseded() public {
        _commit("old", 0);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.NotYourDataset.selector, 1, 1, _ann));
        _datasets.commit(1, "any", "new", 5, 1, address(this), "");
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.UnknownDataset.selector, 1, 2));
        _datasets.commit(1, "any", "new", 5, 2, address(this), "");
        _commit("new", 1);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.AlreadySuperseded.selector, 1, 1, 2));
        _datasets.commit(1, "any", "newer", 5, 1, _ann, "");
    }

    /// @dev Three of them after each call, all after a run.
    function invariant_commitmentsAreImmutable() public view {
        uint256 count = _handler.count();
        for (uint256 i = 0; i < 3 && count > 0; ++i) {
            _unchanged(1 + uint256(keccak256(abi.encode(count, i))) % count);
        }
    }

    function afterInvariant() public view {
        _handler.asExpected();
        for (uint256 id = 1; id <= _handler.count(); ++id) _unchanged(id);
    }

    function _unchanged(uint256 id) private view {
        IDatasetRegistry.Dataset memory present = _datasets.dataset(1, id);
        IDatasetRegistry.Dataset memory then = _handler.made(id);
        if (present.supersededBy != 0) {
            IDatasetRegistry.Dataset memory by = _datasets.dataset(1, present.supersededBy);
            vm.assertEq(by.supersedes, id);
            vm.assertEq(by.provider, then.provider);
            vm.assertLt(id, present.supersededBy, "an older one supersedes");
        }
        present.supersededBy = then.supersededBy;
        vm.assertEq(keccak256(abi.encode(present)), keccak256(abi.encode(then)));
    }

    function _commit(bytes32 root, uint256 supersedes) private returns (uint256) {
        vm.prank(_ann);
        return _datasets.commit(1, "any", root, 5, supersedes, _ann, "");
    }

    function _sign(address provider, bytes32 root) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _datasets.provenanceDigest(provider, 1, "any", root, 5, 0));
        return abi.encodePacked(r, s, v);
    }
}
