// The instruction set that the CPU kernels use on this machine.
#pragma once

#include <cstdint>

namespace precis::cpu {

enum class Isa : std::uint8_t { baseline, avx2, avx512 };

[[nodiscard]] const char* name_of(Isa isa) noexcept;

/// The best instruction set of this CPU, but at most the one that the environment variable
/// PRECIS_ISA names (auto, avx512, avx2; default auto). The first call also holds Highway's
/// dispatch to it, so it comes before any kernel (make_queue calls it). Throws UsageError if
/// PRECIS_ISA has another value or names a set that this CPU lacks.
Isa chosen_isa();

}  // namespace precis::cpu
