#include "eval/copying.hpp"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "eval/words.hpp"

namespace precis {
namespace {

using Words = std::vector<std::string>;

/// The longest run of words that occurs in both; memory of the summary.
std::size_t longest_common_run(const Words& summary, const Words& post) {
  std::size_t longest = 0;
  std::vector<std::size_t> ending(summary.size() + 1);  // runs that end at each word of the summary
  for (const std::string& word : post) {
    for (std::size_t i = summary.size(); i > 0; --i) {
      ending[i] = summary[i - 1] == word ? ending[i - 1] + 1 : 0;
      longest = std::max(longest, ending[i]);
    }
  }
  return longest;
}

std::vector<std::string> ngrams(const Words& words, std::size_t n) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i + n <= words.size(); ++i) {
    std::string& ngram = result.emplace_back();
    for (std::size_t k = 0; k < n; ++k) {
      ngram += words[i + k] + ' ';
    }
  }
  return result;
}

}  // namespace

Copying copying(std::string_view summary, std::string_view post) {
  const Words own = rouge_words(summary, false);
  const Words source = rouge_words(post, false);
  Copying result;
  const std::size_t run = longest_common_run(own, source);
  result.longest_run = static_cast<std::int64_t>(run);
  result.longest_share =
      own.empty() ? 0 : static_cast<double>(run) / static_cast<double>(own.size());
  for (std::size_t n = 1; n <= result.ngrams.size(); ++n) {
    const auto own_ngrams = ngrams(own, n);
    if (own_ngrams.empty()) {
      break;
    }
    const auto source_list = ngrams(source, n);
    const std::unordered_set<std::string> in_source(source_list.begin(), source_list.end());
    const auto copied = std::ranges::count_if(
        own_ngrams, [&](const std::string& ngram) { return in_source.contains(ngram); });
    result.ngrams[n - 1] = static_cast<double>(copied) / static_cast<double>(own_ngrams.size());
  }
  return result;
}

CopyingMeans mean_of(std::span<const Copying> samples, std::span<const std::uint64_t> posts) {
  std::vector<PostValue> runs;
  std::vector<PostValue> shares;
  std::array<std::vector<PostValue>, 4> ngram_shares;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    runs.push_back({posts[i], static_cast<double>(samples[i].longest_run)});
    shares.push_back({posts[i], samples[i].longest_share});
    for (std::size_t n = 0; n < ngram_shares.size(); ++n) {
      if (samples[i].ngrams[n]) {
        ngram_shares[n].push_back({posts[i], *samples[i].ngrams[n]});
      }
    }
  }
  CopyingMeans means{.longest_run = mean_over_posts(runs, Weight::posts),
                     .longest_share = mean_of_shares(shares, Weight::posts),
                     .ngrams = {}};
  for (std::size_t n = 0; n < ngram_shares.size(); ++n) {
    if (!ngram_shares[n].empty()) {
      means.ngrams[n] = mean_of_shares(ngram_shares[n], Weight::posts);
    }
  }
  return means;
}

nlohmann::ordered_json to_json(const Copying& copying) {
  auto ngram_shares = nlohmann::ordered_json::array();
  for (const auto& share : copying.ngrams) {
    ngram_shares.push_back(share ? nlohmann::ordered_json(*share) : nlohmann::ordered_json());
  }
  return {{"longest_run", copying.longest_run},
          {"longest_share", copying.longest_share},
          {"ngrams", ngram_shares}};
}

nlohmann::ordered_json to_json(const CopyingMeans& means) {
  auto ngram_shares = nlohmann::ordered_json::array();
  for (const auto& share : means.ngrams) {
    ngram_shares.push_back(share ? mean_json(*share) : nlohmann::ordered_json());
  }
  return {{"longest_run", mean_json(means.longest_run)},
          {"longest_share", mean_json(means.longest_share)},
          {"ngrams", ngram_shares}};
}

}  // namespace precis
