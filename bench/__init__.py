"""The benchmarks: `make bench`, or `python -m bench NAME...`.

Each figure stands beside a peer's, measured in the same run on the same machine and database, so that
what counts is the ratio. Peers live in an environment of their own, made under var/ from
bench/requirements.txt; servers are private, listen on 127.0.0.1 alone and are stopped by their process.

A benchmark is a module with `measure(ground) -> Iterator[Table]`; `__main__.py` lists them.
"""
