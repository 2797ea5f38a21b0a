#include "rlhf/prompts.hpp"

#include "base/random.hpp"

namespace precis {

std::int64_t PromptOrder::row_of(std::int64_t number) {
  const std::int64_t pass = number / rows_;
  if (pass != pass_) {
    order_ = permutation(rows_, seed_, Purpose::prompt_order, static_cast<std::uint64_t>(pass));
    pass_ = pass;
  }
  return order_[static_cast<std::size_t>(number % rows_)];
}

}  // namespace precis
