# rollsafe in a small image, as a user without rights:
#   docker build -t rollsafe .
#   docker run --rm -v "$PWD:/work" rollsafe lint --all
# With PostgreSQL's server programs, for the restore of verify-backup and for rehearsals:
#   docker build --target server -t rollsafe:server .
# (a restore then starts a throw-away server inside the container; give it room with -v and --tmpfs as needed)

FROM rust:1-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev make cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin rollsafe

FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends git ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 rollsafe \
    # The mounted repository belongs to somebody else: git is only asked what has changed.
    && git config --system --add safe.directory '*'
COPY --from=build /source/target/release/rollsafe /usr/local/bin/rollsafe
WORKDIR /work

FROM base AS server
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql postgresql-client \
    && rm -rf /var/lib/apt/lists/*
USER rollsafe
ENTRYPOINT ["rollsafe"]
CMD ["--help"]

# The last one is what is built where no target is named.
FROM base AS plain
USER rollsafe
ENTRYPOINT ["rollsafe"]
CMD ["--help"]
