# What CI runs.
ci:
    .ci/run

# All tests; those on a real API server build it once, if Go is there.
test *ARGS:
    cargo test {{ARGS}}

# The tests on a real API server alone, which then must run.
test-live *ARGS:
    KUBE_WEIR_REQUIRE_APISERVER=1 cargo test --test it live {{ARGS}}

# All faults on the way to a real API server, for hours, until memory or equality fails.
soak SECONDS='14400':
    KUBE_WEIR_REQUIRE_APISERVER=1 WEIR_CHAOS_SECONDS={{SECONDS}} cargo test --test chaos -- --nocapture

# Paths, keys and snapshots under Miri, with the unsafe code of what they are built on; but for tests
# that it does not finish in minutes.
miri:
    PROPTEST_CASES=4 MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --lib -- path:: key:: snapshot:: \
        --skip behaves_like --skip _size --skip deleting_everything --skip maps_would_be \
        --skip cost_of_a_difference --skip ascending_insertion

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

# Figures for the README and the docs, of what `live`, `store` and `snapshot` measured, and a table.
figures *ARGS:
    cargo bench --bench ratios
    cargo bench --bench figures -- {{ARGS}}

# One of the benchmarks: cached, ingest, memory, store, path, live, world, ratios, snapshot.
bench NAME *ARGS:
    cargo bench --bench {{NAME}} -- {{ARGS}}

# Licences, bans and sources of dependencies.
deny:
    cargo deny check bans licenses sources
