#include "train/shown_samples.hpp"

#include <string_view>
#include <utility>

#include "data/response_text.hpp"

namespace precis {
namespace {

constexpr std::size_t shown_posts = 4;

}  // namespace

ShownSamples::ShownSamples(std::shared_ptr<Generator> generator, const Model& model,
                           std::span<const Example> examples, std::int64_t max_new_tokens)
    : max_new_tokens_(max_new_tokens), generator_(std::move(generator)) {
  if (model.tokenizer.empty()) {
    return;
  }
  tokenizer_ = Tokenizer::from_json(
      {reinterpret_cast<const char*>(model.tokenizer.data()), model.tokenizer.size()});
  sampled_vocabulary_ = unpadded(model.config, tokenizer_->vocabulary());
  for (const Example& example : examples) {
    const auto query = static_cast<std::int64_t>(example.query().size());
    if (shown_.size() < shown_posts && query + max_new_tokens <= model.config.context) {
      const auto tokens = example.query();
      shown_.push_back({.id = example.row.id(),
                        .query = {tokens.begin(), tokens.end()},
                        .reference = example.row.summary,
                        .post = example.row.post});
    }
  }
}

std::vector<Row> ShownSamples::rows(const Parameters& parameters, std::int64_t step,
                                    const std::function<void()>& tick) {
  if (shown_.empty()) {
    return {};
  }
  GenerationRule rule;
  rule.sampling.temperature = 0;
  rule.sampling.sampled_vocabulary = sampled_vocabulary_;
  rule.max_new_tokens = max_new_tokens_;
  std::vector<Prompt> prompts;
  for (std::size_t i = 0; i < shown_.size(); ++i) {
    prompts.push_back({shown_[i].query, {static_cast<std::int64_t>(i)}});
  }
  std::vector<Row> rows(prompts.size());
  generator_->run(
      parameters, prompts, rule,
      [&](Generated&& generated) {
        const Shown& shown = shown_[static_cast<std::size_t>(generated.episode)];
        const char* finish = generated.ended ? "eos" : "length";
        if (generated.ended) {
          generated.response.pop_back();
        }
        rows[static_cast<std::size_t>(generated.episode)] = {
            {"step", step},
            {"id", shown.id},
            {"response", response_text(*tokenizer_, generated.response)},
            {"finish", finish},
            {"reference", shown.reference},
            {"title", shown.post.title},
            {"post", shown.post.body}};
      },
      tick);
  return rows;
}

}  // namespace precis
