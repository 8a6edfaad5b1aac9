#pragma once
// A 128-bit fingerprint of bytes: two independently seeded chains of 64x64→128-bit multiplications over 16 bytes at a time.
// Equal bytes have equal fingerprints on every machine of ours (little-endian); it guards against accidents, not against attacks.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "sim/evidence/evidence.h"

namespace reloadlab::sim {

using Fingerprint = std::array<uint64_t, 2>;

Fingerprint fingerprint(std::span<const std::byte> bytes);

// A blob that owns the bytes, with its fingerprint.
BlobPtr make_blob(Bytes bytes);

}  // namespace reloadlab::sim
