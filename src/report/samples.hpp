// Samples and episodes of a run for its report: the first and the last of each prompt.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "synthetic/grammar.hpp"

namespace precis {

struct SampleText {
  std::int64_t step = 0;
  std::string response;
  std::string reference;           ///< the row's own summary, if it has one
  std::optional<bool> ended = {};  ///< of `finish`
  std::vector<std::pair<std::string, double>> scores = {};  ///< fields of the row that are numbers
};

struct ShownEpisode {
  std::int64_t step = 0;
  std::string prompt_id;
  std::vector<std::int32_t> prompt, response;
  bool ended = false;
  std::optional<double> score = {};
  std::optional<double> kl = {};  ///< sum of logprobs - reference_logprobs, nats
};

/// A post that samples are of.
struct PostText {
  std::string title, body;
  std::optional<Facts> facts = {};  ///< of the embedded data set: what the gold labeler needs
};

struct RunSamples {
  struct Item {
    std::string id;
    SampleText first, last;
    std::optional<PostText> post = {};  ///< if its rows have it
  };
  std::vector<Item> items;  ///< at most 24 prompts, in the order of the file
  std::vector<ShownEpisode> first_episodes, last_episodes;  ///< of the first and the last step
};

/// Read a run's samples.jsonl and episodes.jsonl. Rows that cannot be used become one problem.
/// Throw as `read_loose_rows`.
void read_samples_file(const std::filesystem::path& file, RunSamples& samples,
                       std::vector<std::string>& problems);
void read_episodes_file(const std::filesystem::path& file, RunSamples& samples,
                        std::vector<std::string>& problems);

/// The posts with these ids, as far as the files have them. Files and rows that cannot be read are
/// passed over: posts are shown where they are found.
[[nodiscard]] std::map<std::string, PostText> find_posts(
    const std::set<std::string>& ids, const std::vector<std::filesystem::path>& files);

/// Token ids back to text; nothing where that cannot be done.
using IdsToText = std::function<std::optional<std::string>(const std::vector<std::int32_t>&)>;

/// A column of samples: of a run at a step.
struct SampleColumn {
  std::string name;
  std::map<std::string, SampleText> texts;  ///< by id
};

/// The prompts that most columns have, each with its post, reference and samples side by side, with
/// gold scores where post and end are known. Empty where there are no samples.
[[nodiscard]] std::string samples_html(const std::vector<SampleColumn>& columns,
                                       const std::map<std::string, PostText>& posts);

/// Episodes of the first and of the last step beside each other; empty where there are none.
[[nodiscard]] std::string episodes_html(const RunSamples& samples, const IdsToText& text_of);

}  // namespace precis
