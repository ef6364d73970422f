# The gate alone: one static binary on nothing. The target loadtest is the rehearsal program.
#
#   docker build -t flashgate --build-arg VERSION=$(git describe --tags --always) .
#   docker run --rm -p 127.0.0.1:8080:8080 --read-only flashgate
#   docker build -t flashgate-loadtest --target loadtest .
#
# In production name both images by their digest: docker buildx imagetools inspect golang:1.26-bookworm

# The build runs on the builder's own kind of machine and compiles for the target's; Go needs no emulator for that.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
# The modules first: they change seldom, and are not fetched again while they do not.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# No default for these two: it would win over the platform that was asked for.
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
# No C library, so that it runs on scratch. No paths of this machine in it, so that the same source gives the same binary.
# timetzdata: scratch has no time zones, and TZ decides in which one status and the logs are printed.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -tags timetzdata -ldflags "-s -w -X main.version=$VERSION" -o /out/flashgate .

FROM build AS build-loadtest
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -tags timetzdata -ldflags "-s -w -X main.version=$VERSION" -o /out/flashgate-loadtest ./loadtest

# It needs a temporary folder for the report of a demo, or --html FILE in a folder that is mounted.
FROM scratch AS loadtest
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="flashgate-loadtest" \
      org.opencontainers.image.description="Rehearses a launch: a simulated PortOne, and a load that is judged" \
      org.opencontainers.image.source="https://github.com/flashgate/flashgate" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build-loadtest /out/flashgate-loadtest /flashgate-loadtest
USER 65532:65532
ENTRYPOINT ["/flashgate-loadtest"]
CMD ["--help"]

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="flashgate" \
      org.opencontainers.image.description="A gate in front of payments: it answers PortOne's confirm call while there is stock" \
      org.opencontainers.image.source="https://github.com/flashgate/flashgate" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# Who signed the certificates of PortOne, of shops and of Redis, for calls to them.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/flashgate /flashgate
# Nobody, by number: Kubernetes' runAsNonRoot cannot look up a name. The gate writes no file, so --read-only is fine,
# unless it is told to (--refusal-log FILE).
USER 65532:65532
# PortOne's calls, and the admin API, which is on 127.0.0.1 inside of the container unless --admin-listen says otherwise.
EXPOSE 8080 9090
# A gate is ready when it has read the sales. While it drains it is not, and goes on answering.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/flashgate", "healthcheck"]
ENTRYPOINT ["/flashgate"]
CMD ["serve"]
