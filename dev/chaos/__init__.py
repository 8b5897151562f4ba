"""Fault injection: `make chaos` breaks everything an export needs, and shows that no request is lost or stuck.

The product's processes run with `dev.chaos.settings`, which adds hooks that only exist here (`hooks`). `world` starts
them under a restarting `supervisor`, `accounts` keep asking for exports, `faults` break things at seeded moments,
`watch` measures how long each export goes without a sign of life, and at the end the `oracle` compares what was asked
for, what the database says and what the mail server (`smtp`) took.
"""
