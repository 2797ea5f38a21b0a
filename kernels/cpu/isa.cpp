#include "kernels/cpu/isa.hpp"

#include <hwy/highway.h>

#include <cstdlib>
#include <string>

#include "base/error.hpp"

namespace precis::cpu {
namespace {

Isa isa_of_targets() {
  const std::int64_t targets = hwy::SupportedTargets();
  if ((targets & HWY_AVX3) != 0) {
    return Isa::avx512;
  }
  return (targets & HWY_AVX2) != 0 ? Isa::avx2 : Isa::baseline;
}

Isa choose() {
  const Isa best = isa_of_targets();
  const char* value = std::getenv("PRECIS_ISA");
  const std::string limit = value == nullptr ? "auto" : value;
  if (limit == "auto") {
    return best;
  }
  if (limit != "avx512" && limit != "avx2") {
    fail_usage("PRECIS_ISA is '{}'; it must be auto, avx512 or avx2.", limit);
  }
  const Isa wanted = limit == "avx2" ? Isa::avx2 : Isa::avx512;
  if (wanted > best) {
    fail_usage("PRECIS_ISA asks for {}, but this CPU's best instruction set is {}.",
               name_of(wanted), name_of(best));
  }
  if (wanted < Isa::avx512) {
    // Better targets have smaller numbers; later versions of Highway know more of them.
    hwy::DisableTargets(HWY_AVX2 - 1);
  }
  return wanted;
}

}  // namespace

const char* name_of(Isa isa) noexcept {
  switch (isa) {
    case Isa::avx512:
      return "AVX-512";
    case Isa::avx2:
      return "AVX2";
    case Isa::baseline:
      break;
  }
  return "the x86-64 baseline";
}

Isa chosen_isa() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace precis::cpu
