// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {IDatasetRegistry}.
contract DatasetRegistry is IDatasetRegistry, EIP712 {
    bytes32 private constant PROVENANCE = keccak256(
        "Provenance(address provider,uint256 subnetId,bytes32 schema,bytes32 root,uint64 rows,uint256 supersedes)"
    );

    ISubnetRegistry public immutable SUBNETS;

    // Written through a reference, which slither does not follow.
    // slither-disable-next-line uninitialized-state
    mapping(uint256 subnetId => Dataset[]) private _datasets;

    constructor(ISubnetRegistry subnets) EIP712("2PM datasets", "1") {
        SUBNETS = subnets;
    }

    /// @inheritdoc IDatasetRegistry
    function commit(
        uint256 subnetId,
        bytes32 schema,
        bytes32 root,
        uint64 rows,
        uint256 supersedes,
        address signer,
        bytes calldata signature
    ) external returns (uint256 id) {
        if (root == 0 || rows == 0) revert EmptyDataset();
        bytes32 wanted = SUBNETS.schemaOf(subnetId);
        if (wanted != 0 && schema != wanted) revert WrongSchema(subnetId, schema, wanted);
        if (signer != msg.sender) {
            bytes32 digest = provenanceDigest(msg.sender, subnetId, schema, root, rows, supersedes);
            if (!SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature)) revert WrongSignature(signer);
        }
        Dataset[] storage all = _datasets[subnetId];
        id = all.length + 1;
        if (supersedes != 0) _supersede(subnetId, supersedes, id);
        all.push(Dataset(msg.sender, signer, schema, root, rows, Time.timestamp(), supersedes, 0));
        emit DatasetCommitted(subnetId, id, msg.sender, root, rows);
    }

    /// @inheritdoc IDatasetRegistry
    function datasetCount(uint256 subnetId) external view returns (uint256) {
        return _datasets[subnetId].length;
    }

    /// @inheritdoc IDatasetRegistry
    function dataset(uint256 subnetId, uint256 id) external view returns (Dataset memory) {
        return _at(subnetId, id);
    }

    /// @inheritdoc IDatasetRegistry
    function provenanceDigest(
        address provider,
        uint256 subnetId,
        bytes32 schema,
        bytes32 root,
        uint64 rows,
        uint256 supersedes
    ) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(abi.encode(PROVENANCE, provider, subnetId, schema, root, rows, supersedes))
        );
    }

    function _supersede(uint256 subnetId, uint256 id, uint256 by) private {
        Dataset storage old = _at(subnetId, id);
        if (old.provider != msg.sender) revert NotYourDataset(subnetId, id, old.provider);
        if (old.supersededBy != 0) revert AlreadySuperseded(subnetId, id, old.supersededBy);
        old.supersededBy = by;
    }

    function _at(uint256 subnetId, uint256 id) private view returns (Dataset storage) {
        if (id == 0 || id > _datasets[subnetId].length) revert UnknownDataset(subnetId, id);
        return _datasets[subnetId][id - 1];
    }
}
