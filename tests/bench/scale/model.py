"""The model of docs/scale.md beside what was measured: CPU of a command, by nodes and hops.

    cpu(nodes, hops) = alone + hops * a hop + (nodes - 1) * applying another node's commit

`alone` is one node's figure, the other two are of two nodes; all else is predicted.
"""
from scale.plan import nodes_named, report

FIELD = "berthd_cpu_s_per_1000"


def model(measured):
    """`measured`: by number of nodes, by mode, the figures of commands.py."""
    one, two = measured.get(1, {}), measured.get(2, {})
    own, other = two.get("at the leader"), two.get("never at the leader")
    if "at the leader" not in one or not own or not other:
        return
    alone = one["at the leader"][FIELD]
    hop = (other[FIELD] - own[FIELD]) / (other["hops_each"] - own["hops_each"])
    apply = own[FIELD] - own["hops_each"] * hop - alone
    report("model: a command alone, a hop, applying another's commit", alone_us=alone * 1e3,
           hop_us=hop * 1e3, apply_us=apply * 1e3)
    for nodes, modes in sorted(measured.items()):
        for mode, figures in modes.items():
            predicted = alone + figures["hops_each"] * hop + (nodes - 1) * apply
            report(f"model: {nodes_named(nodes)}, {mode}", predicted_us=predicted * 1e3,
                   measured_us=figures[FIELD] * 1e3, ratio=figures[FIELD] / predicted)
