// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

// What we call of EigenLayer's core contracts (v1, slashing): written from their published ABI, names and types alone.

/// @title The part of EigenLayer's AllocationManager that an AVS with slashing needs
interface IAllocationManager {
    struct OperatorSet {
        address avs;
        uint32 id;
    }

    struct CreateSetParams {
        uint32 operatorSetId;
        address[] strategies;
    }

    struct SlashingParams {
        address operator;
        uint32 operatorSetId;
        address[] strategies;
        uint256[] wadsToSlash;
        string description;
    }

    /// @param currentMagnitude what is allocated and slashable now, of a strategy's `getMaxMagnitude`
    /// @param pendingDiff what is added, or taken away, at `effectBlock`
    struct Allocation {
        uint64 currentMagnitude;
        int128 pendingDiff;
        uint32 effectBlock;
    }

    /// @notice Publishes where the AVS describes itself; the first call makes the caller an AVS.
    function updateAVSMetadataURI(address avs, string calldata metadataURI) external;

    /// @notice Names the contract that is asked when operators register.
    function setAVSRegistrar(address avs, address registrar) external;

    /// @notice Makes operator sets of the AVS.
    function createOperatorSets(address avs, CreateSetParams[] calldata params) external;

    /// @notice Slashes shares of what an operator allocated to a set; the AVS only.
    function slashOperator(address avs, SlashingParams calldata params) external;

    /// @notice For each operator and strategy the least stake that can be slashed until `futureBlock`: deallocations that take
    ///         effect until then are left out, and so is what delegators have queued to withdraw. Whether the operator is a
    ///         member, or slashable at all, is not looked at.
    function getMinimumSlashableStake(
        OperatorSet calldata operatorSet,
        address[] calldata operators,
        address[] calldata strategies,
        uint32 futureBlock
    ) external view returns (uint256[][] memory);

    /// @notice Whether an operator is in a set.
    function isMemberOfOperatorSet(address operator, OperatorSet calldata operatorSet) external view returns (bool);

    /// @notice Whether an operator is in a set, or left it no more than `DEALLOCATION_DELAY` blocks ago.
    function isOperatorSlashable(address operator, OperatorSet calldata operatorSet) external view returns (bool);

    /// @notice What an operator has allocated to a set of a strategy.
    function getAllocation(address operator, OperatorSet calldata operatorSet, address strategy)
        external
        view
        returns (Allocation memory);

    /// @notice What all allocations of a strategy are parts of: 1e18 less what was slashed.
    function getMaxMagnitude(address operator, address strategy) external view returns (uint64);

    /// @notice Blocks until an operator's deallocation takes effect, or its leaving; so long its stake stays slashable.
    function DEALLOCATION_DELAY() external view returns (uint32);
}

/// @title The part of EigenLayer's DelegationManager that we need
interface IDelegationManager {
    /// @notice Blocks that a withdrawal is queued, and stays slashable, at least.
    function minWithdrawalDelayBlocks() external view returns (uint32);

    /// @notice Shares that delegators have queued to withdraw and that would be lost if all of the operator was slashed.
    function getSlashableSharesInQueue(address operator, address strategy) external view returns (uint256);

    /// @notice Whether an account is an operator.
    function isOperator(address account) external view returns (bool);
}

/// @title What EigenLayer asks of an AVS when operators come and go
interface IAVSRegistrar {
    /// @notice An operator registers for sets of the AVS; reverting refuses it.
    function registerOperator(address operator, address avs, uint32[] calldata operatorSetIds, bytes calldata data)
        external;

    /// @notice An operator leaves sets of the AVS.
    function deregisterOperator(address operator, address avs, uint32[] calldata operatorSetIds) external;

    /// @notice Whether this registrar is an AVS's.
    function supportsAVS(address avs) external view returns (bool);
}
