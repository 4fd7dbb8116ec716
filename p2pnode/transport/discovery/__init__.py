"""How peers are found. What decides is free of I/O (scope, plan, observed, lookup); what talks is one adapter a file.

| file | what it is |
| --- | --- |
| scope.py | which addresses may be dialled, given where the one who told them is; groups of addresses |
| plan.py | whom to dial next: the chain's operators first, few of one group, back-off |
| observed.py | which of the addresses that others see us at is believed |
| lookup.py | Kademlia: buckets, and the search for a key |
| kad.py | kad-dht on the wire (FIND_NODE), bounded |
| mdns.py | mDNS on local networks |
| identify.py | what a peer says that it sees us at |
| relay.py | circuit relay v2: reservations, dialling through relays, carrying for others |
| finder.py | all of them together, as the node's `Finder` port |
"""
