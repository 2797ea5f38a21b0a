#include "report/samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>

#include "base/text.hpp"
#include "data/tldr.hpp"
#include "io/jsonl.hpp"
#include "page/html.hpp"
#include "page/number.hpp"
#include "report/files.hpp"
#include "synthetic/gold_labeler.hpp"
#include "synthetic/synthetic_post.hpp"

namespace precis {
namespace {

constexpr std::size_t most_items = 24;
constexpr std::size_t shown_items = 6;
constexpr std::size_t most_episodes = 4;
constexpr std::size_t most_tokens = 4096;
constexpr std::size_t most_characters = 3000;  // of a text that is shown
constexpr std::size_t kept_bytes = 4 * most_characters;

std::int64_t step_in(const nlohmann::json& row, const std::string& where) {
  const auto step = number_in(row, "step");
  if (!step || std::abs(*step) > 1e15) {
    throw BadRow(fmt::format("{}: the step is missing.", where));
  }
  return static_cast<std::int64_t>(*step);
}

std::string kept(const std::string& text) { return text.substr(0, kept_bytes); }

std::vector<std::int32_t> ids_in(const nlohmann::json& row, const char* field) {
  std::vector<std::int32_t> ids;
  const auto found = row.find(field);
  if (found != row.end() && found->is_array()) {
    for (const auto& id : *found) {
      if (id.is_number_integer() && ids.size() < most_tokens && id >= 0 && id <= 2147483647) {
        ids.push_back(id.get<std::int32_t>());
      }
    }
  }
  return ids;
}

/// The sum of log-prob differences; nothing where the row has not both, of one length.
std::optional<double> kl_in(const nlohmann::json& row) {
  const auto own = row.find("logprobs");
  const auto reference = row.find("reference_logprobs");
  if (own == row.end() || reference == row.end() || !own->is_array() || !reference->is_array() ||
      own->size() != reference->size()) {
    return std::nullopt;
  }
  double sum = 0;
  for (std::size_t i = 0; i < own->size(); ++i) {
    if (!(*own)[i].is_number() || !(*reference)[i].is_number()) {
      return std::nullopt;
    }
    sum += (*own)[i].get<double>() - (*reference)[i].get<double>();
  }
  return std::isfinite(sum) ? std::optional(sum) : std::nullopt;
}

PostText post_of(const std::string& title, const std::string& body) {
  return {kept(title), kept(body), read_post(body)};
}

/// The post that the row itself holds.
std::optional<PostText> post_in(const nlohmann::json& row) {
  const std::string body = text_in(row, "post");
  return body.empty() ? std::nullopt : std::optional(post_of(text_in(row, "title"), body));
}

std::string block(std::string_view name, std::string_view text, std::string_view note) {
  return fmt::format(
      "<div><div class=\"name\">{}</div><div class=\"text\" dir=\"auto\">{}</div>{}</div>\n",
      escaped(name), escaped_start(trimmed(text), most_characters),
      note.empty() ? "" : fmt::format("<div class=\"note\">{}</div>", escaped(note)));
}

std::string sample_note(const SampleText& sample, const PostText* post) {
  std::vector<std::string> parts;
  if (post != nullptr && post->facts && sample.ended) {
    const GoldScore gold = gold_score(*post->facts, sample.response, *sample.ended);
    parts.push_back(fmt::format("gold {}", number_text(gold.overall)));
  }
  for (const auto& [name, value] : sample.scores) {
    parts.push_back(fmt::format("{} {}", name.substr(0, 40), number_text(value)));
  }
  if (sample.ended && !*sample.ended) {
    parts.emplace_back("cut at the limit of tokens");
  }
  return joined(parts, " · ");
}

std::string episode_block(const ShownEpisode& episode, const IdsToText& text_of) {
  std::vector<std::string> note = {
      counted(static_cast<std::int64_t>(episode.response.size()), "token")};
  if (episode.score) {
    note.push_back(fmt::format("score {}", number_text(*episode.score)));
  }
  if (episode.kl) {
    note.push_back(fmt::format("log-ratio to the reference policy {}", number_text(*episode.kl)));
  }
  if (!episode.ended) {
    note.emplace_back("no end token");
  }
  const auto prompt = text_of(episode.prompt);
  const auto response = text_of(episode.response);
  return fmt::format(
      "<div><div class=\"name\">step {}, {}</div>{}<div class=\"text\" dir=\"auto\">{}</div>"
      "<div class=\"note\">{}</div></div>\n",
      with_thousands(episode.step), escaped(episode.prompt_id),
      prompt ? fmt::format("<div class=\"text note\" dir=\"auto\">{}</div>",
                           escaped_start(trimmed(*prompt), most_characters))
             : "",
      response ? escaped_start(trimmed(*response), most_characters) : "(no tokenizer found)",
      escaped(joined(note, " · ")));
}

}  // namespace

void read_samples_file(const std::filesystem::path& file, RunSamples& samples,
                       std::vector<std::string>& problems) {
  std::map<std::string, std::size_t> places;
  const SkippedRows skipped =
      read_loose_rows(file, [&](const nlohmann::json& row, const std::string& where) {
        SampleText text{.step = step_in(row, where),
                        .response = kept(text_field(row, "response", where)),
                        .reference = kept(text_in(row, "reference"))};
        const std::string id = text_in(row, "id").substr(0, 200);
        if (const std::string finish = text_in(row, "finish"); !finish.empty()) {
          text.ended = finish == "eos";
        }
        for (const auto& [key, value] : row.items()) {
          if (key != "step" && key != "index" && value.is_number() && text.scores.size() < 6) {
            text.scores.emplace_back(key, value.get<double>());
          }
        }
        const auto place = places.find(id);
        if (place != places.end()) {
          samples.items[place->second].last = std::move(text);
        } else if (samples.items.size() < most_items) {
          places.emplace(id, samples.items.size());
          samples.items.push_back({.id = id, .first = text, .last = text, .post = post_in(row)});
        }
        return true;
      });
  if (const std::string what = skipped.describe("samples.jsonl"); !what.empty()) {
    problems.push_back(what);
  }
}

void read_episodes_file(const std::filesystem::path& file, RunSamples& samples,
                        std::vector<std::string>& problems) {
  const SkippedRows skipped =
      read_loose_rows(file, [&](const nlohmann::json& row, const std::string& where) {
        ShownEpisode episode{.step = step_in(row, where),
                             .prompt_id = text_in(row, "prompt_id").substr(0, 200),
                             .prompt = ids_in(row, "prompt_ids"),
                             .response = ids_in(row, "response_ids"),
                             .ended = text_in(row, "finish") == "eos",
                             .score = number_in(row, "score"),
                             .kl = kl_in(row)};
        auto& last = samples.last_episodes;
        if (!last.empty() && last.front().step != episode.step) {
          if (samples.first_episodes.empty()) {
            samples.first_episodes = last;
          }
          last.clear();
        }
        if (last.size() < most_episodes) {
          last.push_back(std::move(episode));
        }
        return true;
      });
  if (const std::string what = skipped.describe("episodes.jsonl"); !what.empty()) {
    problems.push_back(what);
  }
}

std::map<std::string, PostText> find_posts(const std::set<std::string>& ids,
                                           const std::vector<std::filesystem::path>& files) {
  std::map<std::string, PostText> posts;
  for (const auto& file : files) {
    try {
      (void)read_loose_rows(file, [&](const nlohmann::json& row, const std::string& where) {
        const Post post = parse_post(row, where);
        // `where` is "line N", and rows without an id are named by their line from 0.
        const std::string id =
            post.id.empty() ? std::to_string(std::stoll(where.substr(5)) - 1) : post.id;
        if (ids.contains(id) && !posts.contains(id)) {
          posts.emplace(id, post_of(post.title, post.body));
        }
        return posts.size() < ids.size();
      });
    } catch (const std::exception&) {
      continue;  // the report is whole without the posts
    }
  }
  return posts;
}

std::string samples_html(const std::vector<SampleColumn>& columns,
                         const std::map<std::string, PostText>& posts) {
  std::set<std::pair<std::size_t, std::string>> by_presence;  // how many columns lack it
  for (const SampleColumn& column : columns) {
    for (const auto& sample : column.texts) {
      const auto lacking = std::ranges::count_if(
          columns, [&](const SampleColumn& other) { return !other.texts.contains(sample.first); });
      by_presence.emplace(static_cast<std::size_t>(lacking), sample.first);
    }
  }
  std::string html;
  std::size_t shown = 0;
  for (const auto& item : by_presence) {
    if (++shown > shown_items) {
      break;
    }
    const std::string& id = item.second;
    const auto found = posts.find(id);
    const PostText* post = found == posts.end() ? nullptr : &found->second;
    html += fmt::format("<div class=\"post\"><div class=\"note\">{}</div>\n", escaped(id));
    if (post != nullptr) {
      html +=
          fmt::format("<p class=\"text\" dir=\"auto\"><strong>{}</strong> {}</p>\n",
                      escaped_start(post->title, 300), escaped_start(post->body, most_characters));
    }
    html += "<div class=\"side\">\n";
    const auto with_reference = std::ranges::find_if(columns, [&](const SampleColumn& column) {
      const auto text = column.texts.find(id);
      return text != column.texts.end() && !text->second.reference.empty();
    });
    if (with_reference != columns.end()) {
      const std::string& reference = with_reference->texts.at(id).reference;
      html += block("reference", reference,
                    sample_note({.response = reference, .reference = {}, .ended = true}, post));
    }
    for (const SampleColumn& column : columns) {
      if (const auto text = column.texts.find(id); text != column.texts.end()) {
        html += block(column.name, text->second.response, sample_note(text->second, post));
      }
    }
    html += "</div></div>\n";
  }
  return html;
}

std::string episodes_html(const RunSamples& samples, const IdsToText& text_of) {
  std::string html;
  const std::size_t rows = std::max(samples.first_episodes.size(), samples.last_episodes.size());
  for (std::size_t i = 0; i < rows; ++i) {
    html += "<div class=\"post\"><div class=\"side\">\n";
    for (const auto* episodes : {&samples.first_episodes, &samples.last_episodes}) {
      if (i < episodes->size()) {
        html += episode_block((*episodes)[i], text_of);
      }
    }
    html += "</div></div>\n";
  }
  return html;
}

}  // namespace precis
