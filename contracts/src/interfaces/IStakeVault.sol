// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Stake in one asset: operators' own, and what others delegate to them
/// @notice Time is cut into epochs of `EPOCH_SECONDS`. Who asks for its stake back in epoch e is paid from the beginning of
///         epoch e + 2 on: after one epoch at least and two at most, and for all that time the stake can be slashed.
///         Shares of an operator's stake, and of what leaves in one epoch, are owned by shares; a slash cuts all of them.
interface IStakeVault {
    event Deposited(
        address indexed operator, address indexed owner, address payer, uint256 assets, uint256 shares
    );
    event ExitRequested(
        address indexed operator, address indexed owner, uint256 indexed epoch, uint256 shares, uint256 assets
    );
    event ExitClaimed(
        address indexed operator, address indexed owner, uint256 indexed epoch, address to, uint256 assets
    );
    event Slashed(address indexed operator, uint48 when, uint64 share, uint256 assets);
    event Swept(address indexed treasury, uint256 assets);

    error ZeroAmount();
    error ZeroAddress();
    error WrongValue(uint256 sent, uint256 wanted);
    error TooFewShares(address owner, uint256 wanted, uint256 owned);
    error ExitNotDue(uint256 epoch, uint256 dueAt);
    error NothingToClaim(address operator, uint256 epoch, address owner);

    /// @notice Stakes for `owner` with an operator (itself, or one it delegates to). The native coin comes as value,
    ///         a token must be approved before.
    /// @return shares of the operator's stake
    function deposit(address operator, address owner, uint256 assets) external payable returns (uint256 shares);

    /// @notice Asks for the caller's shares back.
    /// @return epoch for `claim`
    /// @return assets they are worth now; a slash until then makes them less
    function requestExit(address operator, uint256 shares) external returns (uint256 epoch, uint256 assets);

    /// @notice Pays what the caller asked back with this epoch's exits, once they are due.
    function claim(address operator, uint256 epoch, address to) external returns (uint256 assets);

    /// @notice Takes `share` (of 1e18) of `slashable(operator, when)` from all that is slashable; the stake source only.
    function slash(address operator, uint48 when, uint64 share) external returns (uint256 assets);

    /// @notice Sends what was slashed to the treasury; anyone may.
    function sweep() external returns (uint256 assets);

    /// @notice The token, or zero for the native coin.
    function ASSET() external view returns (address);

    /// @notice Length of an epoch, and the least time from asking for stake back to getting it.
    function EPOCH_SECONDS() external view returns (uint48);

    /// @notice Where slashed stake goes.
    function TREASURY() external view returns (address);

    /// @notice What counts for an operator now: all its stake but what is on its way out.
    function staked(address operator) external view returns (uint256);

    /// @notice What can be slashed for an offence at `when`: what there was then less what was slashed since, at most what
    ///         there is now; nothing for an offence more than `EPOCH_SECONDS` ago.
    function slashable(address operator, uint48 when) external view returns (uint256);

    /// @notice An owner's shares with an operator, and what they are worth.
    function stakeOf(address operator, address owner) external view returns (uint256 shares, uint256 assets);

    /// @notice What an owner has on its way out with one epoch's exits.
    function exitOf(address operator, uint256 epoch, address owner) external view returns (uint256 assets);

    /// @notice All epochs with whose exits an owner ever asked stake back from an operator.
    function exitEpochs(address operator, address owner) external view returns (uint256[] memory);

    /// @notice The present epoch.
    function currentEpoch() external view returns (uint256);

    /// @notice Slashed assets that wait for `sweep`.
    function unswept() external view returns (uint256);
}
