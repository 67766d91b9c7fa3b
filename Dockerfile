# genti with a Rust toolchain: `docker build -t genti . && docker run --rm -v "$PWD:/workspace" genti check`.
# The version is that of rust-toolchain.toml.
FROM docker.io/library/rust:1.95.0-slim-bookworm AS build
WORKDIR /genti
COPY . .
RUN cargo install --locked --root /usr/local --path .

FROM docker.io/library/rust:1.95.0-slim-bookworm
RUN rustup component add clippy rustfmt \
    && apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
    # The workspace belongs to another user, from whose repositories git reads nothing by default.
    && git config --system --add safe.directory '*'
COPY --from=build /usr/local/bin/cargo-genti /usr/local/bin/
WORKDIR /workspace
ENTRYPOINT ["cargo-genti"]
CMD ["check"]
