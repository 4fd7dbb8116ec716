// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title What data providers commit to, without showing any of it
/// @notice A commitment never changes; a provider's newer one supersedes it, and both stay readable.
interface IDatasetRegistry {
    /// @param provider whose data it is
    /// @param signer who vouches for where it comes from; the provider itself if nobody else does
    /// @param schema digest of the data schema
    /// @param root Merkle root over the rows' salted digests
    /// @param rows how many
    /// @param committedAt seconds
    /// @param supersedes the earlier commitment that it replaces, 0 if none
    /// @param supersededBy the newer one, 0 while it is current
    struct Dataset {
        address provider;
        address signer;
        bytes32 schema;
        bytes32 root;
        uint64 rows;
        uint48 committedAt;
        uint256 supersedes;
        uint256 supersededBy;
    }

    event DatasetCommitted(
        uint256 indexed subnetId, uint256 indexed id, address indexed provider, bytes32 root, uint64 rows
    );

    error EmptyDataset();
    error WrongSchema(uint256 subnetId, bytes32 schema, bytes32 wanted);
    error WrongSignature(address signer);
    error UnknownDataset(uint256 subnetId, uint256 id);
    error NotYourDataset(uint256 subnetId, uint256 id, address provider);
    error AlreadySuperseded(uint256 subnetId, uint256 id, uint256 by);

    /// @notice Commits to data. Another signer than the caller signs the EIP-712 struct
    ///         Provenance(address provider,uint256 subnetId,bytes32 schema,bytes32 root,uint64 rows,uint256 supersedes)
    ///         in the domain "2PM datasets", version "1" (a contract signs by ERC-1271).
    /// @param supersedes the caller's commitment that this one replaces, 0 if none
    /// @return id of the commitment in its subnet, counted from 1
    function commit(
        uint256 subnetId,
        bytes32 schema,
        bytes32 root,
        uint64 rows,
        uint256 supersedes,
        address signer,
        bytes calldata signature
    ) external returns (uint256 id);

    /// @notice How many commitments a subnet has; their ids are 1 to this number.
    function datasetCount(uint256 subnetId) external view returns (uint256);

    /// @notice A commitment by its id.
    function dataset(uint256 subnetId, uint256 id) external view returns (Dataset memory);

    /// @notice What a signer signs.
    function provenanceDigest(
        address provider,
        uint256 subnetId,
        bytes32 schema,
        bytes32 root,
        uint64 rows,
        uint256 supersedes
    ) external view returns (bytes32);
}
