"""The line under faults: the real station process against simulators that know the truth.

    make campaign N=40 SEED=1

``panels`` (the truth) · ``process`` (the station, killed and started again) · ``disturb`` (what is
done to it, by a seed) · ``operator`` (whoever stands at the line) · ``oracle`` (what must hold at
the end) · ``mutants`` (guards taken out, to see that the oracle notices) · ``report``.
"""
