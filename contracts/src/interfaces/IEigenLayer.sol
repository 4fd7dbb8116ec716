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

    /// @notice Publishes where the AVS describes itself; the first call makes the caller an AVS.
    function updateAVSMetadataURI(address avs, string calldata metadataURI) external;

    /// @notice Names the contract that is asked when operators register.
    function setAVSRegistrar(address avs, address registrar) external;

    /// @notice Makes operator sets of the AVS.
    function createOperatorSets(address avs, CreateSetParams[] calldata params) external;

    /// @notice Slashes shares of what an operator allocated to a set; the AVS only.
    function slashOperator(address avs, SlashingParams calldata params) external;

    /// @notice For each operator and strategy the least stake that can be slashed until `futureBlock`.
    function getMinimumSlashableStake(
        OperatorSet calldata operatorSet,
        address[] calldata operators,
        address[] calldata strategies,
        uint32 futureBlock
    ) external view returns (uint256[][] memory);

    /// @notice Whether an operator is in a set.
    function isMemberOfOperatorSet(address operator, OperatorSet calldata operatorSet) external view returns (bool);

    /// @notice Blocks until an operator's deallocation takes effect; so long its stake stays slashable.
    function DEALLOCATION_DELAY() external view returns (uint32);
}

/// @title The part of EigenLayer's DelegationManager that we need
interface IDelegationManager {
    /// @notice Blocks that a withdrawal is queued, and stays slashable, at least.
    function minWithdrawalDelayBlocks() external view returns (uint32);

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
