#include "model/families/family.hpp"

namespace precis {

const std::vector<Family>& families() {
  static const std::vector<Family> all{gpt2_family()};
  return all;
}

}  // namespace precis
