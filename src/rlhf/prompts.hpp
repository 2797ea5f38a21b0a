// Which prompt each episode starts from.
#pragma once

#include <cstdint>
#include <vector>

namespace precis {

/// The prompts of a run in their order: an endless stream, each pass over the rows in an order of
/// its own by (seed, Purpose::prompt_order, pass).
class PromptOrder {
 public:
  PromptOrder(std::int64_t rows, std::uint64_t seed) : rows_(rows), seed_(seed) {}

  /// The row that episode `number` starts from.
  [[nodiscard]] std::int64_t row_of(std::int64_t number);

 private:
  std::int64_t rows_;
  std::uint64_t seed_;
  std::int64_t pass_ = -1;
  std::vector<std::int64_t> order_;
};

}  // namespace precis
