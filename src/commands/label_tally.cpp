#include "commands/label_tally.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "eval/agreement.hpp"
#include "feedback/pair_id.hpp"
#include "feedback/pairs.hpp"

namespace precis {
namespace {

constexpr const char* kind_names[] = {"sample and sample", "sample and reference",
                                      "one wrong fact"};

std::string share(const std::vector<PostValue>& values) {
  return values.empty() ? "-" : to_text(rate_over_posts(values, Weight::rows));
}

}  // namespace

void LabelTally::count(const Comparison& judged, const std::array<Quality, 2>& qualities) {
  const double margin = qualities[1].gold - qualities[0].gold;
  const int words = qualities[1].words - qualities[0].words;
  const bool second = judged.choice == 1;
  const std::uint64_t post = post_number(judged.post);
  for (Counts* counts : {&kinds_[kind_names[static_cast<std::size_t>(kind_of(judged))]],
                         &policies_[policy_pair(judged)], &workers_[judged.worker], &all_}) {
    ++counts->judgements;
    counts->ties += margin == 0 ? 1 : 0;
    if (margin != 0) {
      counts->agreed.push_back({post, (margin > 0) == second ? 1.0 : 0.0});
    }
    if (words != 0) {
      counts->longer.push_back({post, (words > 0) == second ? 1.0 : 0.0});
    }
  }
}

void LabelTally::print(const std::string& name, const Counts& counts, int width) {
  fmt::print("{:<{}} {:>10} {:>8}  {:<24} {}\n", name, width, counts.judgements, counts.ties,
             share(counts.agreed), share(counts.longer));
}

void LabelTally::print(bool by_labeler) const {
  std::size_t longest = 22;
  for (const Group* group : {&policies_, &workers_}) {
    for (const auto& [name, counts] : *group) {
      longest = std::max(longest, name.size());
    }
  }
  const auto width = static_cast<int>(longest);
  const auto heading = [width](const char* name) {
    fmt::print("{:<{}} {:>10} {:>8}  {:<24} {}\n", name, width, "judgements", "ties",
               "agreement with gold", "longer one chosen");
  };
  heading("pairs");
  for (const char* name : kind_names) {
    const auto found = kinds_.find(name);
    print(name, found == kinds_.end() ? Counts{} : found->second, width);
  }
  print("all", all_, width);
  if (policies_.size() > kinds_.size()) {
    fmt::print("\n");
    heading("policies");
    for (const auto& [name, counts] : policies_) {
      print(name, counts, width);
    }
  }
  if (by_labeler) {
    fmt::print("\n");
    heading("labeler");
    for (const auto& [name, counts] : workers_) {
      print(name, counts, width);
    }
  }
  fmt::print("\n");
}

}  // namespace precis
