// Summaries of a few fixed held-out posts, written to samples.jsonl every so often for people to
// read.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "data/tldr.hpp"
#include "io/metrics.hpp"
#include "model/generator.hpp"
#include "model/model.hpp"

namespace precis {

class ShownSamples {
 public:
  /// Shows the first four of `examples` whose summaries may have `max_new_tokens` tokens in the
  /// model's context. A model without a tokenizer shows nothing.
  ShownSamples(std::shared_ptr<Generator> generator, const Model& model,
               std::span<const Example> examples, std::int64_t max_new_tokens);

  /// The model's summaries at temperature 0, a row each. `tick` is called between decode steps.
  [[nodiscard]] std::vector<Row> rows(const Parameters& parameters, std::int64_t step,
                                      const std::function<void()>& tick);

 private:
  /// A post that is shown.
  struct Shown {
    std::string id;
    std::vector<std::int32_t> query;
    std::string reference;
    Post post;  ///< goes into the rows: their readers may not have its file
  };

  std::int64_t max_new_tokens_;
  std::int64_t sampled_vocabulary_ = 0;
  std::optional<Tokenizer> tokenizer_;
  std::vector<Shown> shown_;
  std::shared_ptr<Generator> generator_;
};

}  // namespace precis
