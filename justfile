# What CI runs.
ci:
    .ci/run

# All tests; those on a real API server build it once, if Go is there.
test *ARGS:
    cargo test {{ARGS}}

# The tests on a real API server alone, which then must run.
test-live *ARGS:
    KUBE_WEIR_REQUIRE_APISERVER=1 cargo test --test it live {{ARGS}}

lint:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings

doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features

# The snapshot's structure against what one might take instead.
bench-snapshot *ARGS:
    cargo bench --bench snapshot -- {{ARGS}}

# Everything against its peers, in one run of less than 10 minutes, and one table of ratios.
bench-peers:
    cargo bench --bench ingest --bench memory --bench store --bench path --bench live
    cargo bench --bench ratios

# One of the benchmarks: ingest, memory, store, path, live, world, ratios.
bench NAME *ARGS:
    cargo bench --bench {{NAME}} -- {{ARGS}}

# Licences, bans and sources of dependencies.
deny:
    cargo deny check bans licenses sources
