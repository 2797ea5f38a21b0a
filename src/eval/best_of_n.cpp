#include "eval/best_of_n.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace precis {
namespace {

std::vector<PostValue> of_rows(const SampleValues& rewards, const SampleValues& values,
                               std::span<const std::uint64_t> posts, std::int64_t n) {
  std::vector<PostValue> result;
  for (std::size_t row = 0; row < rewards.size(); ++row) {
    result.push_back({posts[row], expected_value_of_best(rewards[row], values[row], n)});
  }
  return result;
}

}  // namespace

double expected_value_of_best(std::span<const double> rewards, std::span<const double> values,
                              std::int64_t n) {
  const std::size_t count = rewards.size();
  assert(values.size() == count && n >= 1 && static_cast<std::size_t>(n) <= count);
  // These two have the same bits whatever the order, and where samples repeat.
  if (n == 1 || std::ranges::all_of(rewards, [&](double reward) { return reward == rewards[0]; })) {
    return exact_mean(values);
  }
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return rewards[a] > rewards[b]; });
  // From the highest reward down: C(i-1, n-1) / C(N, n) is n/N for i = N, and for i - 1 it is (i-n)
  // / (i-1) times that for i.
  double weight = static_cast<double>(n) / static_cast<double>(count);
  double sum = 0;
  for (std::size_t place = 0; place < count;) {
    double tied_weight = 0;
    double tied_value = 0;
    std::size_t end = place;
    for (; end < count && rewards[order[end]] == rewards[order[place]]; ++end) {
      const auto i = static_cast<double>(count - end);
      tied_weight += weight;
      tied_value += values[order[end]];
      weight *= i > 1 ? std::max(i - static_cast<double>(n), 0.0) / (i - 1) : 0;
    }
    sum += tied_weight * tied_value / static_cast<double>(end - place);
    place = end;
  }
  return sum;
}

double best_of_n_kl(std::int64_t n) {
  const auto count = static_cast<double>(n);
  return std::log(count) - (count - 1) / count;
}

std::vector<BestOfN> best_of_n(const SampleValues& rewards, const SampleValues& gold,
                               const SampleValues& wins, std::span<const std::uint64_t> posts,
                               std::int64_t most) {
  assert(!rewards.empty());
  const auto samples = static_cast<std::int64_t>(rewards.front().size());
  std::vector<BestOfN> table;
  for (std::int64_t n = 1; n <= std::min(samples, most); n *= 2) {
    BestOfN line{.n = n,
                 .kl = best_of_n_kl(n),
                 .reward = mean_over_posts(of_rows(rewards, rewards, posts, n), Weight::posts),
                 .gold = {},
                 .against_references = {}};
    if (!gold.empty()) {
      line.gold = mean_over_posts(of_rows(rewards, gold, posts, n), Weight::posts);
    }
    if (!wins.empty()) {
      line.against_references = rate_over_posts(of_rows(rewards, wins, posts, n), Weight::posts);
    }
    table.push_back(line);
  }
  return table;
}

std::size_t best_of_first(std::span<const double> rewards, std::int64_t n) {
  const auto first = rewards.first(static_cast<std::size_t>(n));
  return static_cast<std::size_t>(std::ranges::max_element(first) - first.begin());
}

std::string to_text(const std::vector<BestOfN>& table) {
  const bool with_gold = !table.empty() && table.front().gold;
  std::string text = fmt::format("{:>4} {:>9} {:>27}", "n", "KL, nats", "reward");
  if (with_gold) {
    text += fmt::format(" {:>27} {:>24}", "gold score", "wins against references");
  }
  text += '\n';
  for (const BestOfN& line : table) {
    text += fmt::format("{:>4} {:>9.3f} {:>27}", line.n, line.kl, to_text(line.reward));
    if (with_gold) {
      text += fmt::format(" {:>27} {:>24}", to_text(*line.gold), to_text(*line.against_references));
    }
    text += '\n';
  }
  return text;
}

nlohmann::ordered_json to_json(const std::vector<BestOfN>& table) {
  auto lines = nlohmann::ordered_json::array();
  for (const BestOfN& line : table) {
    nlohmann::ordered_json json = {
        {"n", line.n}, {"kl", line.kl}, {"reward", mean_json(line.reward)}};
    if (line.gold) {
      json["gold"] = mean_json(*line.gold);
    }
    if (line.against_references) {
      json["win_rate_references"] = rate_json(*line.against_references);
    }
    lines.push_back(std::move(json));
  }
  return lines;
}

}  // namespace precis
