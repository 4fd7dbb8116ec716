// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The subnets of the network, and where each one's contracts stand
/// @notice With the chain's URL, this contract's address and a subnet id a stranger can find everything else.
interface ISubnetRegistry {
    /// @param founder who founded the subnet and alone may open it
    /// @param operators the subnet's operator registry
    /// @param anchor the subnet's checkpoint anchor
    /// @param openedBlock the block in which it was opened, 0 while it is closed
    /// @param params canonical encoding of the protocol's parameters; immutable
    /// @param task canonical encoding of the task's name, digest and options; immutable
    struct Subnet {
        address founder;
        address operators;
        address anchor;
        uint64 openedBlock;
        bytes params;
        bytes task;
    }

    event SubnetFounded(uint256 indexed subnetId, address indexed founder, address operators, address anchor);
    event SubnetOpened(uint256 indexed subnetId, uint64 openedBlock);

    error UnknownSubnet(uint256 subnetId);
    error NotFounder(uint256 subnetId, address caller);
    error AlreadyOpen(uint256 subnetId, uint64 openedBlock);
    error BadLength(uint256 paramsBytes, uint256 taskBytes, uint256 limitBytes);
    error NotAContract(address account);

    /// @notice Founds a subnet; it is closed until its founder opens it.
    /// @dev Open to anyone until the DAO's governor becomes the only caller.
    /// @return subnetId the new subnet's id, counted from 1
    function found(bytes calldata params, bytes calldata task, address operators, address anchor)
        external
        returns (uint256 subnetId);

    /// @notice Opens the subnet, once: its first epoch follows from this block.
    function open(uint256 subnetId) external;

    /// @notice How many subnets there are; their ids are 1 to this number.
    function subnetCount() external view returns (uint256);

    /// @notice All there is to know about one subnet.
    function subnet(uint256 subnetId) external view returns (Subnet memory);

    /// @notice The contracts that a subnet named when it was founded.
    function contractsOf(uint256 subnetId) external view returns (address operators, address anchor);

    /// @notice The block in which the subnet was opened, 0 while it is closed.
    function openedBlock(uint256 subnetId) external view returns (uint64);
}
