// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ERC6909} from "@openzeppelin/contracts/token/ERC6909/ERC6909.sol";
import {RewardDistributor} from "../src/RewardDistributor.sol";
import {RoyaltyVault} from "../src/RoyaltyVault.sol";
import {SubnetRegistry} from "../src/SubnetRegistry.sol";
import {TwoPMToken} from "../src/TwoPMToken.sol";
import {IPostedRoots} from "../src/interfaces/IPostedRoots.sol";
import {IRoyaltyVault} from "../src/interfaces/IRoyaltyVault.sol";
import {ISubnetRegistry} from "../src/interfaces/ISubnetRegistry.sol";
import {Ground, bound} from "./Economy.sol";
import {Handler, Kit, vm} from "./Kit.sol";
import {Tree} from "./Tree.sol";

/// @notice Fees come in for a subnet and its child, shares are granted, claimed sooner or later, and move, dividends are taken.
///         All of it is done to another vault too, where everybody has its shares as soon as they are granted, and which
///         divides whenever the first one does, since a parent's part comes in when its child divides. The guardian takes
///         grants back of subnet 1 only: in the other vault they have been given.
contract RoyaltyHandler is Handler {
    uint256 private constant DELAY = 1 hours;
    RoyaltyVault private _vault;
    RoyaltyVault private _prompt;
    TwoPMToken private _token;
    Ground private _ground;
    address private _boss;
    address[3] public people;
    uint256 public paidIn;
    uint256 public late;
    uint256 public twice;
    uint256 public beyondCap;
    bool public tookBack;
    uint256 public payments;
    mapping(uint256 subnet => mapping(uint256 who => uint256)) public paidOut;
    /// @dev What each backer has left of the reserve.
    mapping(uint256 subnet => mapping(uint256 who => uint256)) public backed;
    mapping(uint256 subnet => uint256[]) private _grants;

    constructor(RoyaltyVault vault, RoyaltyVault prompt, TwoPMToken token, Ground ground, uint256 reserved) {
        (_vault, _prompt, _token, _ground, _boss) = (vault, prompt, token, ground, msg.sender);
        people = [_name("ann"), _name("bob"), _name("cyd")];
        for (uint256 subnet = 1; subnet <= 2; ++subnet) {
            for (uint256 i = 0; i < 3; ++i) {
                backed[subnet][i] = reserved * (i + 1) / 6;
                vm.prank(_boss);
                _prompt.giveReserved(subnet, people[i], backed[subnet][i]);
            }
        }
    }

    function pay(uint256 subnet, uint256 amount) external {
        subnet = 1 + subnet % 2;
        (uint256 parents, uint256 waits) = (_vault.waiting(1), _vault.waiting(2));
        waits += _pay(subnet, bound(amount, 0, 1e24));
        if (subnet == 2 && _vault.waiting(1) - parents != waits * 2000 / 10_000) ++beyondCap;
        _told(true);
    }

    /// @dev Another subnet, which builds on one or both; all its shares are one backer's; a fee comes in.
    function found(uint256 both, uint256 first, uint256 second, uint256 amount) external {
        uint256 number = _ground.SUBNETS().subnetCount() + 1;
        vm.assume(number < 12);
        ISubnetRegistry.Terms memory terms = _ground.terms(_boss, _boss);
        terms.economics.rewardBps = 0;
        terms.parents = new ISubnetRegistry.Parent[](1 + both % 2);
        terms.parents[0] = ISubnetRegistry.Parent(1, uint16(bound(first, 1, 3200)));
        if (both % 2 == 1) terms.parents[1] = ISubnetRegistry.Parent(2, uint16(bound(second, 1, 3200)));
        uint256 bps = terms.parents[0].bps + (both % 2 == 1 ? terms.parents[1].bps : 0);
        (SubnetRegistry subnets, uint256 cap) = (_ground.SUBNETS(), _ground.SUBNETS().MAX_PARENT_BPS());
        vm.prank(_boss);
        try subnets.found(terms) {
            _told(true, bps <= cap);
        } catch {
            _told(false, bps <= cap);
            return;
        }
        _open(_vault, number);
        _open(_prompt, number);
        uint256 before = _vault.waiting(1) + _vault.waiting(2);
        uint256 came = _pay(number, bound(amount, 0, 1e24));
        uint256 toParents = _vault.waiting(1) + _vault.waiting(2) - before;
        if (toParents > came * cap / 10_000 || toParents + 1 < came * bps / 10_000) ++beyondCap;
    }

    function back(uint256 subnet, uint256 who, uint256 shares) external {
        subnet = 1 + subnet % 2;
        shares = bound(shares, 0, backed[subnet][who % 3]);
        vm.assume(backed[subnet][who % 3] != 0);
        backed[subnet][who % 3] -= shares;
        vm.prank(_boss);
        _vault.giveReserved(subnet, people[who % 3], shares);
        _prompt.divide(subnet);
        _told(true);
    }

    function grant(uint256 subnet, uint256 shares) external {
        subnet = 1 + subnet % 2;
        shares = bound(shares, 1, 1e21);
        uint256 index = _grants[subnet].length;
        vm.assume(index < 12);
        bytes32 root = Tree.root(_leaves(_vault, subnet, shares));
        bytes32 other = Tree.root(_leaves(_prompt, subnet, shares));
        uint256 left = _vault.balanceOf(address(_vault), subnet) - _vault.reservedOf(subnet) - _vault.unclaimed(subnet);
        vm.prank(_boss);
        try _vault.grant(subnet, root, 6 * shares) {
            _told(true, 6 * shares <= left);
        } catch {
            _told(false, 6 * shares <= left);
            return;
        }
        _grants[subnet].push(shares);
        vm.prank(_boss);
        _prompt.grant(subnet, other, 6 * shares);
        for (uint256 i = 0; i < 3; ++i) {
            bytes32[] memory proof = Tree.proof(_leaves(_prompt, subnet, shares), i);
            _prompt.claimShares(subnet, people[i], (i + 1) * shares, index, proof);
        }
    }

    function take(uint256 subnet, uint256 who, uint256 index) external {
        subnet = 1 + subnet % 2;
        vm.assume(_grants[subnet].length != 0);
        index = index % _grants[subnet].length;
        IPostedRoots.Root memory root = _vault.rootOf(subnet, index);
        bool due = !root.disabled && root.activeFrom <= vm.getBlockTimestamp()
            && !_vault.wasGiven(subnet, index, people[who % 3]);
        _told(_take(subnet, who % 3, index), due);
        if (_take(subnet, who % 3, index)) ++twice;
    }

    function takeBack(uint256 index) external {
        uint256 count = _grants[1].length;
        vm.assume(count >= 2);
        vm.prank(_boss);
        _vault.disableRoot(1, index % count);
        _prompt.divide(1);
        tookBack = true;
        _told(_vault.unclaimedOf(1, index % count) == 0, true);
    }

    function move(uint256 subnet, uint256 from, uint256 to, uint256 shares) external {
        subnet = 1 + subnet % 2;
        (address source, address target) = (people[from % 3], people[to % 3]);
        shares = bound(shares, 0, _vault.balanceOf(source, subnet));
        vm.assume(shares != 0);
        _vault.divide(subnet);
        uint256 mine = _vault.dividendOf(subnet, source);
        uint256 theirs = _vault.dividendOf(subnet, target);
        vm.prank(source);
        _vault.transfer(target, subnet, shares);
        vm.prank(source);
        _prompt.transfer(target, subnet, shares);
        if (_vault.dividendOf(subnet, source) != mine) late += 1;
        if (_vault.dividendOf(subnet, target) != theirs) late += 1;
        _told(true);
    }

    /// @dev Shares that come back to the vault earn no more; in subnet 1 only, where the vaults need not be alike.
    function giveUp(uint256 from, uint256 shares) external {
        shares = bound(shares, 0, _vault.balanceOf(people[from % 3], 1) / 3);
        vm.assume(shares != 0);
        uint256 before = _vault.granted(1);
        vm.prank(people[from % 3]);
        _vault.transfer(address(_vault), 1, shares);
        vm.prank(people[from % 3]);
        _prompt.transfer(address(_prompt), 1, shares);
        _told(before - _vault.granted(1) == shares, true);
    }

    function claim(uint256 subnet, uint256 who) external {
        subnet = 1 + subnet % 2;
        _vault.divide(subnet);
        _prompt.divide(subnet);
        bool due = _vault.dividendOf(subnet, people[who % 3]) > 0;
        try _vault.claim(subnet, people[who % 3]) returns (uint256 sum) {
            paidOut[subnet][who % 3] += sum;
            _told(true, due);
        } catch {
            _told(false, due);
        }
    }

    function wait(uint256 time) external {
        vm.warp(vm.getBlockTimestamp() + bound(time, DELAY / 2, 2 * DELAY));
        _told(true);
    }

    function grants(uint256 subnet) external view returns (uint256) {
        return _grants[subnet].length;
    }

    /// @notice The call by which somebody takes its shares of a root.
    function taking(uint256 subnet, uint256 who, uint256 index) public view returns (bytes memory) {
        uint256 shares = _grants[subnet][index];
        bytes32[] memory proof = Tree.proof(_leaves(_vault, subnet, shares), who);
        return abi.encodeCall(RoyaltyVault.claimShares, (subnet, people[who], (who + 1) * shares, index, proof));
    }

    function _pay(uint256 subnet, uint256 amount) private returns (uint256 came) {
        _token.approve(address(_vault), amount);
        _token.approve(address(_prompt), amount);
        uint256 before = _token.balanceOf(address(_vault));
        _vault.pay(subnet, amount);
        _prompt.pay(subnet, amount);
        came = _token.balanceOf(address(_vault)) - before;
        paidIn += came;
        ++payments;
    }

    function _open(RoyaltyVault vault, uint256 subnet) private {
        vm.prank(_boss);
        vault.open(subnet, 1e24);
        vm.prank(_boss);
        vault.giveReserved(subnet, people[0], 1e24);
    }

    function _take(uint256 subnet, uint256 who, uint256 index) private returns (bool done) {
        (done,) = address(_vault).call(taking(subnet, who, index));
        if (done) _prompt.divide(subnet);
    }

    function _leaves(RoyaltyVault vault, uint256 subnet, uint256 shares) private view returns (bytes32[] memory inner) {
        inner = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            inner[i] = vault.leafOf(subnet, people[i], (i + 1) * shares);
        }
    }
}

contract RoyaltyVaultTest is Kit {
    uint256 private constant RESERVED = 6e22;
    /// @dev At most one of the smallest unit for each holder at each of some hundred calls.
    uint256 private constant DUST = 4000;
    Ground private _ground;
    SubnetRegistry private _subnets;
    TwoPMToken private _token;
    RewardDistributor private _rewards;
    RoyaltyVault private _vault;
    RoyaltyVault private _prompt;
    RoyaltyHandler private _handler;
    address private _powers;
    address private _ann;
    address private _bob;

    function setUp() public {
        (_ann, _bob) = (_name("anna"), _name("bert"));
        _ground = new Ground(address(this));
        (_subnets, _powers) = (_ground.SUBNETS(), address(_ground.POWERS()));
        ISubnetRegistry.Terms memory terms = _ground.terms(address(this), address(this));
        _subnets.found(terms);
        terms.parents = new ISubnetRegistry.Parent[](1);
        terms.parents[0] = ISubnetRegistry.Parent(1, 2000);
        terms.economics.rewardBps = 0;
        _subnets.found(terms);
        _token = new TwoPMToken(address(this), 1e30);
        _rewards = new RewardDistributor(_token, _subnets, 0, _name("treasury"), _powers);
        (_vault, _prompt) = (_made(1 hours), _made(0));
        _handler = new RoyaltyHandler(_vault, _prompt, _token, _ground, RESERVED);
        _token.transfer(address(_handler), 1e29);
        _target(address(_handler));
    }

    function test_sharesAreMintedPreemptively() public view {
        vm.assertEq(_vault.balanceOf(address(_vault), 1), _vault.SUPPLY());
        vm.assertEq(_vault.reservedOf(1), RESERVED);
        vm.assertEq(_vault.granted(1), RESERVED);
        vm.assertEq(_vault.given(1), 0);
    }

    function test_onlyTheGovernorOpensOnce() public {
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.RoyaltiesOpen.selector, 1));
        _vault.open(1, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.BeyondPool.selector, 3, 1e24 + 1, 1e24));
        _vault.open(3, 1e24 + 1);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _ann));
        _vault.open(3, 0);
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, _ann));
        _vault.giveReserved(1, _ann, 1);
    }

    function test_backersGetReservedShares() public {
        _vault.giveReserved(1, _ann, 4e22);
        vm.assertEq(_vault.balanceOf(_ann, 1), 4e22);
        vm.assertEq(_vault.given(1), 4e22);
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.BeyondPool.selector, 1, 3e22, 2e22));
        _vault.giveReserved(1, _bob, 3e22);
    }

    function test_contributorsGetWhatTheyWereGranted() public {
        bytes32[] memory none = new bytes32[](0);
        uint256 index = _vault.grant(1, _rootOf(1, _ann, 5e20), 5e20);
        vm.expectRevert(
            abi.encodeWithSelector(
                IPostedRoots.RootNotActive.selector, 1, index, uint48(vm.getBlockTimestamp() + 1 hours), false
            )
        );
        _vault.claimShares(1, _ann, 5e20, index, none);
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        _vault.claimShares(1, _ann, 5e20, index, none);
        vm.assertEq(_vault.balanceOf(_ann, 1), 5e20);
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.SharesGivenBefore.selector, 1, index, _ann));
        _vault.claimShares(1, _ann, 5e20, index, none);
        vm.expectRevert(abi.encodeWithSelector(IPostedRoots.WrongProof.selector, 1, 0));
        _vault.claimShares(1, _bob, 5e20, index, none);
    }

    function test_onlyThePosterGrants() public {
        vm.prank(_ann);
        vm.expectRevert(abi.encodeWithSelector(IPostedRoots.NotPoster.selector, 1, _ann));
        _vault.grant(1, "root", 1);
    }

    function test_reservedAndGrantedSharesAreKept() public {
        uint256 pool = 1e24 - RESERVED;
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.BeyondPool.selector, 1, pool + 1, pool));
        _vault.grant(1, "root", pool + 1);
        _vault.grant(1, "root", pool - 5);
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.BeyondPool.selector, 1, 6, 5));
        _vault.grant(1, "root", 6);
        RoyaltyVault closed = _closed();
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.BeyondPool.selector, 1, 1, 0));
        closed.grant(1, "root", 1);
    }

    function test_aRootGivesNoMoreThanWasGranted() public {
        uint256 index = _vault.grant(1, _rootOf(1, _ann, 7), 6);
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.BeyondGrant.selector, 1, index, 7, 6));
        _vault.claimShares(1, _ann, 7, index, new bytes32[](0));
    }

    function test_nothingIsGivenToTheVaultItself() public {
        uint256 index = _vault.grant(1, _rootOf(1, address(_vault), 7), 7);
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(ERC6909.ERC6909InvalidReceiver.selector, address(_vault)));
        _vault.claimShares(1, address(_vault), 7, index, new bytes32[](0));
    }

    function test_aFeeIsDividedAmongAllGrantedShares() public {
        _vault.giveReserved(1, _ann, 1e22);
        _vault.giveReserved(1, _bob, 3e22);
        _vault.pay(1, 12_000);
        vm.assertEq(_token.balanceOf(address(_rewards)), 6000);
        vm.assertEq(_vault.dividendOf(1, _ann), 1000);
        vm.assertEq(_vault.claim(1, _bob), 3000);
        vm.assertEq(_token.balanceOf(_bob), 3000);
    }

    function test_whoClaimsFirstTakesNoMoreThanItsOwn() public {
        _vault.pay(1, 12_000);
        _vault.giveReserved(1, _ann, 1e22);
        vm.assertEq(_vault.claim(1, _ann), 1000);
        _vault.pay(1, 12_000);
        _vault.giveReserved(1, _bob, 5e22);
        vm.assertEq(_vault.claim(1, _bob), 10_000);
        vm.assertEq(_vault.claim(1, _ann), 1000);
        vm.assertEq(_token.balanceOf(address(_vault)), 0);
    }

    function test_contributorsEarnFromTheirGrantOn() public {
        _vault.pay(1, 12_000);
        uint256 first = _vault.grant(1, _rootOf(1, _ann, 3e22), 3e22);
        _vault.pay(1, 18_000);
        uint256 second = _vault.grant(1, _rootOf(1, _ann, 9e22), 9e22);
        _vault.pay(1, 36_000);
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        // Of 9,000 a third, then of 18,000 a third and a half: in whatever order they are claimed.
        uint256 before = vm.snapshotState();
        _vault.claimShares(1, _ann, 3e22, first, new bytes32[](0));
        vm.assertEq(_vault.dividendOf(1, _ann), 3000 + 3000);
        _vault.claimShares(1, _ann, 9e22, second, new bytes32[](0));
        vm.assertEq(_vault.claim(1, _ann), 6000 + 9000);
        vm.assertTrue(vm.revertToState(before), "back");
        _vault.claimShares(1, _ann, 9e22, second, new bytes32[](0));
        vm.assertEq(_vault.dividendOf(1, _ann), 9000);
        _vault.claimShares(1, _ann, 3e22, first, new bytes32[](0));
        vm.assertEq(_vault.claim(1, _ann), 6000 + 9000);
    }

    function test_whatIsTakenBackEarnsForTheOthers() public {
        uint256 index = _vault.grant(2, _rootOf(2, _ann, 6e22), 6e22);
        _vault.pay(2, 1000);
        _vault.disableRoot(2, index);
        vm.assertEq(_vault.returned(2), 400);
        vm.assertEq(_vault.granted(2), RESERVED);
        _vault.disableRoot(2, index);
        vm.assertEq(_vault.granted(2), RESERVED);
        _vault.giveReserved(2, _bob, RESERVED);
        // A parent's part of it was paid before.
        vm.assertEq(_vault.claim(2, _bob), 800);
        vm.assertEq(_vault.waiting(1), 200);
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        vm.expectPartialRevert(IPostedRoots.RootNotActive.selector);
        _vault.claimShares(2, _ann, 6e22, index, new bytes32[](0));
        uint256 again = _vault.grant(2, _rootOf(2, _ann, 1e24 - RESERVED), 1e24 - RESERVED);
        vm.assertEq(_vault.unclaimedOf(2, again), 1e24 - RESERVED);
    }

    function test_whatWasClaimedIsNotTakenBack() public {
        bytes32[] memory inner = new bytes32[](2);
        (inner[0], inner[1]) = (_vault.leafOf(2, _ann, 1e22), _vault.leafOf(2, _bob, 5e22));
        uint256 index = _vault.grant(2, Tree.root(inner), 6e22);
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        _vault.claimShares(2, _ann, 1e22, index, Tree.proof(inner, 0));
        _vault.disableRoot(2, index);
        vm.assertEq(_vault.balanceOf(_ann, 2), 1e22);
        vm.assertEq(_vault.granted(2), RESERVED + 1e22);
        vm.assertEq(_vault.unclaimed(2), 0);
    }

    function test_withoutGrantedSharesFeesWait() public {
        RoyaltyVault vault = _closed();
        vault.open(1, 0);
        vault.pay(1, 8000);
        vm.assertEq(vault.waiting(1), 4000);
        vault.grant(1, keccak256(bytes.concat(vault.leafOf(1, _ann, 7))), 7);
        vault.claimShares(1, _ann, 7, 0, new bytes32[](0));
        vm.assertEq(vault.claim(1, _ann), 4000);
    }

    function test_parentsGetTheirPart() public {
        ISubnetRegistry.Terms memory terms = _ground.terms(address(this), address(this));
        terms.economics.rewardBps = 0;
        terms.parents = new ISubnetRegistry.Parent[](1);
        terms.parents[0] = ISubnetRegistry.Parent(2, 1000);
        _subnets.found(terms);
        _vault.giveReserved(1, _ann, RESERVED);
        _vault.giveReserved(2, _bob, RESERVED);
        _vault.open(3, 10);
        _vault.giveReserved(3, _name("child"), 10);
        _vault.pay(3, 10_000);
        vm.assertEq(_vault.claim(3, _name("child")), 9000);
        vm.assertEq(_vault.waiting(2), 1000);
        vm.assertEq(_vault.claim(2, _bob), 800);
        vm.assertEq(_vault.claim(1, _ann), 200);
        vm.assertEq(_token.balanceOf(address(_vault)), 0);
    }

    function test_aGrandparentsPartComesInWhenTheParentDivides() public {
        ISubnetRegistry.Terms memory terms = _ground.terms(address(this), address(this));
        terms.economics.rewardBps = 0;
        terms.parents = new ISubnetRegistry.Parent[](1);
        terms.parents[0] = ISubnetRegistry.Parent(2, 1000);
        _subnets.found(terms);
        _vault.giveReserved(1, _ann, RESERVED);
        _vault.open(3, 10);
        for (uint256 step = 0; step < 2; ++step) {
            (address seller, address buyer) = step == 0 ? (_ann, _bob) : (_bob, _ann);
            _vault.pay(3, 10_000);
            vm.assertEq(_vault.waiting(1), 0);
            if (step == 1) _vault.divide(2); // the seller sees to it
            vm.prank(seller);
            _vault.transfer(buyer, 1, RESERVED);
            _vault.divide(2);
            _vault.divide(1);
            vm.assertEq(_vault.dividendOf(1, _bob), step == 0 ? 200 : 400);
            vm.assertEq(_vault.dividendOf(1, _ann), 0);
        }
    }

    function test_closedRoyaltiesTakeNoFees() public {
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.RoyaltiesClosed.selector, 3));
        _vault.pay(3, 1);
    }

    function test_aShareThatMovesNeitherGainsNorLoses() public {
        _vault.giveReserved(2, _ann, RESERVED);
        _vault.pay(2, 1000);
        vm.prank(_ann);
        _vault.transfer(_bob, 2, RESERVED);
        _vault.pay(2, 500);
        vm.assertEq(_vault.claim(2, _ann), 800);
        vm.assertEq(_vault.claim(2, _bob), 400);
    }

    function test_sharesThatComeBackEarnNothing() public {
        _vault.giveReserved(2, _ann, RESERVED / 2);
        _vault.giveReserved(2, _bob, RESERVED / 2);
        vm.prank(_ann);
        _vault.transfer(address(_vault), 2, RESERVED / 2);
        vm.assertEq(_vault.given(2), RESERVED / 2);
        vm.assertEq(_vault.granted(2), RESERVED / 2);
        _vault.pay(2, 1000);
        vm.assertEq(_vault.claim(2, _bob), 800);
        vm.assertEq(_vault.dividendOf(2, _ann), 0);
        vm.assertEq(_vault.dividendOf(2, address(_vault)), 0);
    }

    function test_dividendsArePaidOnce() public {
        test_aFeeIsDividedAmongAllGrantedShares();
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.NothingToPay.selector, 1, _bob));
        _vault.claim(1, _bob);
    }

    function test_nothingIsNotPaid() public {
        vm.expectRevert(abi.encodeWithSelector(IRoyaltyVault.NothingToPay.selector, 1, _ann));
        _vault.claim(1, _ann);
    }

    function test_roundingIsNotLost() public {
        RoyaltyVault vault = _closed();
        vault.open(2, 7);
        vault.giveReserved(2, _ann, 3);
        for (uint256 i = 0; i < 350; ++i) {
            vault.pay(2, 1);
        }
        vault.giveReserved(2, _bob, 4);
        for (uint256 i = 0; i < 350; ++i) {
            vault.pay(2, 1);
        }
        uint256 sum = vault.dividendOf(2, _ann) + vault.dividendOf(2, _bob) + vault.waiting(2) + vault.waiting(1);
        vm.assertGe(sum, 698, "lost");
        vm.assertLe(sum, 700, "made");
    }

    function invariant_nothingIsMadeOrLost() public {
        vm.assertEq(_handler.late(), 0);
        if (_handler.payments() % 4 == 3) _nothingIsMadeOrLost();
    }

    function invariant_lateClaimsEarnTheSame() public {
        vm.assertEq(_handler.twice(), 0);
        if (_handler.payments() % 4 == 3) _lateClaimsEarnTheSame();
    }

    /// @dev All is settled now and then, and at the end of every run; each time it is as if it had not been.
    function _nothingIsMadeOrLost() private {
        uint256 state = vm.snapshotState();
        _settle();
        (uint256 due, uint256 out) = (0, 0);
        for (uint256 subnet = 1; subnet <= _subnets.subnetCount(); ++subnet) {
            due += _vault.waiting(subnet) + _vault.returned(subnet);
            for (uint256 i = 0; i < 3; ++i) {
                due += _vault.dividendOf(subnet, _handler.people(i));
                out += _handler.paidOut(subnet, i);
            }
        }
        uint256 balance = _token.balanceOf(address(_vault));
        vm.assertEq(balance, _handler.paidIn() - out);
        vm.assertLe(due, balance, "owed");
        vm.assertLe(balance - due, DUST, "dust");
        vm.assertTrue(vm.revertToState(state), "back");
    }

    function _lateClaimsEarnTheSame() private {
        uint256 state = vm.snapshotState();
        _settle();
        for (uint256 subnet = _handler.tookBack() ? 2 : 1; subnet <= 2; ++subnet) {
            for (uint256 i = 0; i < 3; ++i) {
                address who = _handler.people(i);
                uint256 late = _handler.paidOut(subnet, i) + _vault.dividendOf(subnet, who);
                uint256 prompt = _prompt.dividendOf(subnet, who);
                vm.assertEq(_vault.balanceOf(who, subnet), _prompt.balanceOf(who, subnet));
                vm.assertLe(late > prompt ? late - prompt : prompt - late, DUST, "late or prompt");
            }
        }
        vm.assertTrue(vm.revertToState(state), "back");
    }

    function invariant_parentsGetNoMoreThanTheirCap() public view {
        vm.assertEq(_handler.beyondCap(), 0);
        for (uint256 subnet = 1; subnet <= _subnets.subnetCount(); ++subnet) {
            ISubnetRegistry.Parent[] memory parents = _subnets.parentsOf(subnet);
            uint256 bps = 0;
            for (uint256 i = 0; i < parents.length; ++i) {
                vm.assertLt(parents[i].subnetId, subnet, "a parent is earlier");
                bps += parents[i].bps;
            }
            vm.assertLe(bps, _subnets.MAX_PARENT_BPS(), "cap");
        }
    }

    function invariant_sharesAddUp() public view {
        for (uint256 subnet = 1; subnet <= _subnets.subnetCount(); ++subnet) {
            uint256 held = 0;
            for (uint256 i = 0; i < 3; ++i) {
                held += _vault.balanceOf(_handler.people(i), subnet);
            }
            uint256 kept = _vault.reservedOf(subnet) + _vault.unclaimed(subnet);
            vm.assertEq(held, _vault.given(subnet));
            vm.assertEq(held + kept, _vault.granted(subnet));
            vm.assertEq(held + _vault.balanceOf(address(_vault), subnet), _vault.SUPPLY());
            vm.assertLe(kept, _vault.balanceOf(address(_vault), subnet), "kept");
        }
    }

    function afterInvariant() public {
        _handler.asExpected();
        _nothingIsMadeOrLost();
        _lateClaimsEarnTheSame();
    }

    /// @dev Everybody takes all that is its own, children first, since they pay their parents.
    function _settle() private {
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        for (uint256 subnet = _subnets.subnetCount(); subnet >= 1; --subnet) {
            _vault.divide(subnet);
            _prompt.divide(subnet);
            for (uint256 i = 0; i < 3; ++i) {
                _vault.giveReserved(subnet, _handler.people(i), _handler.backed(subnet, i));
                for (uint256 index = 0; index < _handler.grants(subnet); ++index) {
                    bool due = !_vault.rootOf(subnet, index).disabled
                        && !_vault.wasGiven(subnet, index, _handler.people(i));
                    (bool done,) = address(_vault).call(_handler.taking(subnet, i, index));
                    vm.assertEq(done, due);
                }
            }
        }
    }

    /// @dev A vault of which both subnets have shares.
    function _made(uint48 delay) private returns (RoyaltyVault vault) {
        vault = new RoyaltyVault(_token, _rewards, _subnets, delay, _powers);
        _token.approve(address(vault), type(uint256).max);
        vault.open(1, RESERVED);
        vault.open(2, RESERVED);
    }

    /// @dev A vault of which no subnet has shares yet.
    function _closed() private returns (RoyaltyVault vault) {
        vault = new RoyaltyVault(_token, _rewards, _subnets, 0, _powers);
        _token.approve(address(vault), type(uint256).max);
    }

    /// @dev The root over the one leaf.
    function _rootOf(uint256 subnet, address who, uint256 shares) private view returns (bytes32) {
        return keccak256(bytes.concat(_vault.leafOf(subnet, who, shares)));
    }
}
