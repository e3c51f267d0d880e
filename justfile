# Where `just package` unpacks what it packed.
packaged := 'target/package/kube-weir-' + `sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml`

# What CI runs: the steps that `.ci/run` names, each a recipe of this file.
ci:
    .ci/run

# A tool that a recipe needs, built once a machine.
_tool NAME VERSION:
    @command -v {{NAME}} >/dev/null || cargo install --locked {{NAME}}@{{VERSION}}

# All tests; those on a real API server build it once, if Go is there.
test *ARGS:
    cargo test {{ARGS}}

# The examples in the docs again, with all features.
test-docs:
    cargo test --doc --all-features

# The program that the README starts with.
quickstart:
    cargo run --quiet --example quickstart

# The compiler's messages where a bound fails, written anew by the current toolchain: then look at the
# difference, and name its release in tests/messages.rs.
messages:
    TRYBUILD=overwrite cargo test --all-features --test messages

# The tests on a real API server alone, which then must run.
test-live *ARGS:
    KUBE_WEIR_REQUIRE_APISERVER=1 cargo test --test it live {{ARGS}}

# Those that read compressed answers where kube's client has its feature `gzip`: with that.
test-gzip *ARGS:
    cargo test --features kube/gzip --test it -- live::gzip live::streaming live::sync live::outage::a_cut {{ARGS}}

# All faults on the way to a real API server, for hours, until memory or equality fails; then a figure
# of the memory.
soak SECONDS='14400' FOLDER='target/bench':
    KUBE_WEIR_REQUIRE_APISERVER=1 WEIR_CHAOS_SECONDS={{SECONDS}} cargo test --test chaos -- --nocapture
    cargo bench --bench figures -- {{FOLDER}} soak

# Paths, keys and snapshots under Miri, with the unsafe code of what they are built on; but for tests
# that it does not finish in minutes.
miri:
    PROPTEST_CASES=4 MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --lib -- path:: filter:: index::key:: snapshot:: \
        --skip behaves_like --skip _size --skip deleting_everything --skip maps_would_be \
        --skip cost_of_a_difference --skip ascending_insertion

# One of the fuzz targets, with a nightly toolchain: conversation, discovery, document, lease, line, list,
# path, removal, resource, selector, status.
fuzz NAME *ARGS: (_tool "cargo-fuzz" "0.13.2")
    cargo +nightly fuzz run {{NAME}} -- {{ARGS}}

# Each of them for a while.
fuzz-all SECONDS='600': (_tool "cargo-fuzz" "0.13.2")
    for name in $(cargo +nightly fuzz list); do just fuzz $name -max_total_time={{SECONDS}} || exit 1; done

# Format, and clippy's pedantic lints; `incompatible_msrv` is among them.
lint:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings

# The docs, without a warning; also as who has turned on no feature builds them.
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features
    RUSTDOCFLAGS='-D warnings' cargo doc --no-deps

# The docs of the packaged crate as docs.rs builds them: with `--cfg docsrs`, and without .cargo/config.toml.
docs-rs: package
    cd {{packaged}} && K8S_OPENAPI_ENABLED_VERSION= RUSTDOC='{{justfile_directory()}}/.ci/rustdoc' \
        RUSTDOCFLAGS='-D warnings --cfg docsrs' cargo doc --lib --no-deps \
        --all-features --features k8s-openapi/v1_35 --target-dir '{{justfile_directory()}}/target/docs-rs'

# No types in the public API but of those crates that are meant to be there.
public-types:
    cargo test --test it public_types -- --ignored

# The library with each combination of features.
features: (_tool "cargo-hack" "0.6.46")
    cargo hack clippy --lib --feature-powerset --skip default -- -D warnings

# The crate as it would be published, built from what is packed.
package:
    cargo package --allow-dirty --all-features --target-dir target

# The packaged library with the oldest versions of its dependencies that Cargo.toml allows.
minimal: package (_tool "cargo-hack" "0.6.46")
    cd {{packaged}} && cargo hack --remove-dev-deps && RUSTC_BOOTSTRAP=1 cargo update -Z direct-minimal-versions
    cd {{packaged}} && cargo check --lib --all-features --target-dir '{{justfile_directory()}}/target/minimal'

# The library with the oldest Rust that Cargo.toml allows, which rustup fetches.
msrv VERSION=`sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml`:
    rustup toolchain install --profile minimal {{VERSION}}
    cargo +{{VERSION}} check --lib --all-features

# The public API against that of the last release, or of any commit; nothing before the first release.
semver BASELINE=`git describe --tags --match 'v[0-9]*' --abbrev=0 2>/dev/null || true`:
    {{ if BASELINE == "" { "# no release yet" } else { "just _semver " + BASELINE } }}

_semver BASELINE: (_tool "cargo-semver-checks" "0.51.0")
    cargo semver-checks --all-features --baseline-rev {{BASELINE}}

# The snapshot's structure against what one might take instead.
bench-snapshot *ARGS:
    cargo bench --bench snapshot -- {{ARGS}}

# Everything against its peers, in one run of less than 10 minutes, and one table of ratios.
bench-peers:
    cargo bench --bench ingest --bench memory --bench store --bench path --bench live
    cargo bench --bench ratios

# Figures for the README and the docs, of what `live`, `store` and `snapshot` measured, and a table.
figures FOLDER='docs/figures':
    cargo bench --bench ratios
    cargo bench --bench figures -- {{FOLDER}}

# One of the benchmarks: bounds, cached, ingest, memory, store, path, live, world, ratios, snapshot.
bench NAME *ARGS:
    cargo bench --bench {{NAME}} -- {{ARGS}}

# Licences, bans and sources of dependencies.
deny: (_tool "cargo-deny" "0.20.2")
    cargo deny check bans licenses sources

# Known vulnerabilities of dependencies, by a database that this fetches.
advisories: (_tool "cargo-deny" "0.20.2")
    cargo deny check advisories
