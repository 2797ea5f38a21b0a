#include "train/shown_samples.hpp"

#include <algorithm>
#include <string_view>

#include "data/response_text.hpp"

namespace precis {
namespace {

constexpr std::size_t shown_posts = 4;

}  // namespace

ShownSamples::ShownSamples(Device& device, const Model& model, const std::vector<Example>& examples)
    : context_(model.config.context), generator_(device, model.config, model.parameters) {
  if (model.tokenizer.empty()) {
    return;
  }
  tokenizer_ = Tokenizer::from_json(
      {reinterpret_cast<const char*>(model.tokenizer.data()), model.tokenizer.size()});
  for (std::size_t i = 0; i < std::min(shown_posts, examples.size()); ++i) {
    const SummaryRow& row = examples[i].row;
    // As `sample` numbers rows without an id.
    const std::string id = row.post.id.empty() ? std::to_string(row.line - 1) : row.post.id;
    shown_.push_back({id, examples[i].query, row.summary});
  }
}

std::vector<Row> ShownSamples::rows(const Parameters& parameters, std::int64_t step,
                                    std::int64_t max_new_tokens,
                                    const std::function<void()>& tick) {
  GenerationRule rule;
  rule.sampling.temperature = 0;
  rule.max_new_tokens = max_new_tokens;
  std::vector<Prompt> prompts;
  for (std::size_t i = 0; i < shown_.size(); ++i) {
    const auto room = context_ - static_cast<std::int64_t>(shown_[i].query.size());
    rule.max_new_tokens = std::min(rule.max_new_tokens, room);
    prompts.push_back({shown_[i].query, {static_cast<std::int64_t>(i)}});
  }
  std::vector<Row> rows(prompts.size());
  if (prompts.empty() || rule.max_new_tokens < 1) {
    return {};
  }
  generator_.run(
      parameters, prompts, rule,
      [&](Generated&& of) {
        const Shown& shown = shown_[static_cast<std::size_t>(of.episode)];
        if (of.ended) {
          of.response.pop_back();
        }
        rows[static_cast<std::size_t>(of.episode)] = {
            {"step", step},
            {"id", shown.id},
            {"response", response_text(*tokenizer_, of.response)},
            {"reference", shown.reference}};
      },
      tick);
  return rows;
}

}  // namespace precis
