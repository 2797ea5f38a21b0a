#include "eval/rouge_means.hpp"

#include <fmt/format.h>

#include <vector>

namespace precis {
namespace {

RougeScoreMeans mean_of(std::span<const Rouge> scores, std::span<const std::uint64_t> posts,
                        Weight weight, RougeScore Rouge::*score) {
  const auto mean = [&](double RougeScore::*number) {
    std::vector<double> values;
    for (const Rouge& one : scores) {
      values.push_back(one.*score.*number);
    }
    return mean_of_shares(with_posts(posts, values), weight);
  };
  return {.precision = mean(&RougeScore::precision),
          .recall = mean(&RougeScore::recall),
          .f = mean(&RougeScore::f)};
}

}  // namespace

RougeMeans mean_of(std::span<const Rouge> scores, std::span<const std::uint64_t> posts,
                   Weight weight) {
  return {.rows = scores.size(),
          .rouge1 = mean_of(scores, posts, weight, &Rouge::rouge1),
          .rouge2 = mean_of(scores, posts, weight, &Rouge::rouge2),
          .rouge_l = mean_of(scores, posts, weight, &Rouge::rouge_l),
          .rouge_lsum = mean_of(scores, posts, weight, &Rouge::rouge_lsum)};
}

std::string to_text(const RougeMeans& means) {
  std::string text = fmt::format("{:<12} {:>26} {:>26} {:>26}\n", "", "precision", "recall", "F");
  const auto line = [&](const char* name, const RougeScoreMeans& score) {
    text += fmt::format("{:<12} {:>26} {:>26} {:>26}\n", name, to_text(score.precision),
                        to_text(score.recall), to_text(score.f));
  };
  line("rouge1", means.rouge1);
  line("rouge2", means.rouge2);
  line("rougeL", means.rouge_l);
  line("rougeLsum", means.rouge_lsum);
  return text;
}

nlohmann::ordered_json to_json(const RougeMeans& means) {
  const auto score = [](const RougeScoreMeans& one) {
    return nlohmann::ordered_json{
        {"p", mean_json(one.precision)}, {"r", mean_json(one.recall)}, {"f", mean_json(one.f)}};
  };
  return {{"rows", means.rows},
          {"rouge1", score(means.rouge1)},
          {"rouge2", score(means.rouge2)},
          {"rougeL", score(means.rouge_l)},
          {"rougeLsum", score(means.rouge_lsum)}};
}

}  // namespace precis
