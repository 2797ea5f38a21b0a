#include "feedback/comparison_json.hpp"

#include <cstddef>

namespace precis {
namespace {

using Json = nlohmann::ordered_json;

Json info_json(const Post& post) {
  Json info = Json::object();
  if (!post.id.empty()) {
    info["id"] = post.id;
  }
  switch (post.kind) {
    case PostKind::reddit:
      info["post"] = post.body;
      info["title"] = post.title;
      info["subreddit"] = post.subreddit;
      break;
    case PostKind::article:
      info["article"] = post.body;
      break;
    case PostKind::prompt:
      info["prompt"] = post.body;
      break;
  }
  return info;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json summaries_json(const Comparison& pair) {
  Json summaries = Json::array();
  for (std::size_t k = 0; k < 2; ++k) {
    summaries.push_back({{"text", pair.summaries[k]},
                         {"policy", text_or_null(pair.policies[k])},
                         {"note", text_or_null(pair.notes[k])}});
  }
  return summaries;
}

}  // namespace

Json pair_json(const Comparison& pair) {
  return {{"info", info_json(pair.post)},
          {"summaries", summaries_json(pair)},
          {"batch", pair.batch},
          {"split", pair.split}};
}

Json comparison_json(const Comparison& comparison) {
  Json json = {{"info", info_json(comparison.post)}, {"summaries", summaries_json(comparison)},
               {"choice", comparison.choice},        {"worker", comparison.worker},
               {"batch", comparison.batch},          {"split", comparison.split}};
  if (comparison.confidence) {
    json["extra"] = {{"confidence", *comparison.confidence}};
  }
  return json;
}

}  // namespace precis
