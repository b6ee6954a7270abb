"""One module a stage: it fetches its inputs, calls one engine and stores what the engine made.

`runner` makes each artifact once, `context` is what a stage is given; `admit` comes first, `publish` last.
"""
