// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {DatasetRegistry} from "../src/DatasetRegistry.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {IDatasetRegistry} from "../src/interfaces/IDatasetRegistry.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Ground} from "./Economy.sol";
import {Kit, vm} from "./Kit.sol";

contract DatasetRegistryTest is Kit {
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
        vm.chainId(block.chainid + 1);
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

    function _commit(bytes32 root, uint256 supersedes) private returns (uint256) {
        vm.prank(_ann);
        return _datasets.commit(1, "any", root, 5, supersedes, _ann, "");
    }

    function _sign(address provider, bytes32 root) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _datasets.provenanceDigest(provider, 1, "any", root, 5, 0));
        return abi.encodePacked(r, s, v);
    }
}
