#include "feedback/label_page.hpp"

#include <xxhash.h>

#include <algorithm>
#include <map>

#include "base/random.hpp"
#include "base/text.hpp"
#include "data/byte_text.hpp"
#include "feedback/label_page_source.hpp"

namespace precis {
namespace {

/// The summary of the row that is shown first.
int left_of(const std::string& id, std::uint64_t seed) {
  return RandomStream(seed, Purpose::pairing, name_number("order of " + id)).chance(0.5) ? 1 : 0;
}

/// A field of `info` that the row may not have.
std::string info_text(const ListedPair& pair, const char* field) {
  const nlohmann::json* value = find_field(pair.row.at("info"), field);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

/// A summary as the page shows it.
std::string shown_text(const ListedPair& pair, int summary, EmptySummaries empty) {
  const std::string& text = pair.comparison.summaries[static_cast<std::size_t>(summary)];
  if (text.find_first_not_of(" \t\r\n") != std::string::npos) {
    return std::string(trimmed(text));
  }
  require(
      empty == EmptySummaries::show,
      "{}: summary {} has no text. Leave the pair out, or show \"(empty)\" to the labelers with "
      "--label.empty_summaries show.",
      pair.comparison.where(), summary);
  return "(empty)";
}

nlohmann::ordered_json item_json(const ListedPair& pair, const LabelPageOptions& options) {
  const Post& post = pair.comparison.post;
  const bool on_reddit = post.kind == PostKind::reddit;
  const int left = left_of(pair.id, options.seed);
  const auto text = [&](int k) { return shown_text(pair, k, options.empty_summaries); };
  return {{"pair", pair.id},
          {"left", left},
          {"source", on_reddit ? "r/" + post.subreddit : info_text(pair, "site")},
          {"title", on_reddit ? post.title : info_text(pair, "title")},
          {"post", post.body},
          {"summaries", {text(left), text(1 - left)}}};
}

/// JSON that is safe within a script element: no tag can begin in it.
std::string script_safe(const nlohmann::ordered_json& value) {
  std::string safe;
  for (const char c : to_line(value)) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

/// 'sha256-...' of a content security policy (W3C, CSP level 3) from the digest in hexadecimal.
std::string hash_source(std::string_view hexadecimal) {
  std::string bytes;
  for (std::size_t i = 0; i < hexadecimal.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hexadecimal.substr(i, 2)), nullptr, 16));
  }
  return "'sha256-" + base64(bytes) + "'";
}

/// The template with each @NAME@ replaced, in one pass: the replacements are not searched again.
std::string filled(std::string_view page, const std::map<std::string_view, std::string>& values) {
  std::string result;
  while (true) {
    const auto begin = page.find('@');
    const auto end = begin == std::string_view::npos ? begin : page.find('@', begin + 1);
    result += page.substr(0, begin);
    if (end == std::string_view::npos) {
      return result;
    }
    result += values.at(page.substr(begin + 1, end - begin - 1));
    page.remove_prefix(end + 1);
  }
}

}  // namespace

nlohmann::ordered_json label_page_data(const PairList& list, const LabelPageOptions& options) {
  const auto pairs = static_cast<std::int64_t>(list.pairs.size());
  if (options.first > pairs) {
    fail_usage("label.first is {}, but {} has only {}.", options.first, list.file,
               counted(pairs, "pair"));
  }
  const std::int64_t left = pairs - options.first + 1;
  const std::int64_t count = options.limit > 0 ? std::min(options.limit, left) : left;
  nlohmann::ordered_json data = {{"format", answer_format},
                                 {"pairs", list.digest},
                                 {"first", options.first},
                                 {"axes", options.axes},
                                 {"title", options.title},
                                 {"instructions", options.instructions},
                                 {"items", nlohmann::ordered_json::array()}};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto place = static_cast<std::size_t>(options.first - 1 + i);
    data["items"].push_back(item_json(list.pairs[place], options));
  }
  const std::string content = to_line(data);
  data["page"] = fmt::format("{:016x}", XXH3_64bits(content.data(), content.size()));
  return data;
}

std::string label_page(const nlohmann::ordered_json& data) {
  namespace source = label_page_source;
  const std::string policy = fmt::format(
      "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
      hash_source(source::script_sha256), hash_source(source::style_sha256));
  return filled(source::page, {{"POLICY", policy},
                               {"STYLE", std::string(source::style)},
                               {"SCRIPT", std::string(source::script)},
                               {"DATA", script_safe(data)}});
}

}  // namespace precis
