"""`dalston up`: the whole system on one machine, as supervised processes.

One supervisor starts nats-server, the embedded control plane, the operator and the gateway, keeps them
running and stops them in order. All that they keep lies in one folder. Nothing here knows what the
parts do: they find each other through the same settings as on a cluster.
"""
