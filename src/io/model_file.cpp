#include "io/model_file.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace precis {

namespace {

/// The names of the groups in the root that hold a model, that is, have a configuration.
std::vector<std::string> parts_of(const StateReader& file) {
  std::vector<std::string> parts;
  for (const std::string& name : file.children()) {
    if (file.is_group(name) && file.contains(name + "/config")) {
      parts.push_back(name);
    }
  }
  return parts;
}

std::string choose_part(const StateReader& file, const std::string& wanted) {
  const std::string name = file.path().string();
  const std::vector<std::string> parts = parts_of(file);
  if (file.contains("config")) {
    require(wanted.empty(), "{} is a model file and has no part '{}': leave the part out.", name,
            wanted);
    return "";
  }
  require(!parts.empty(),
          "{} holds no model: found neither a configuration (config) nor a part that has one.",
          name);
  const auto has = [&](const std::string& part) {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  if (!wanted.empty()) {
    require(has(wanted), "{} has no part '{}'. Its parts are: {}.", name, wanted,
            fmt::join(parts, ", "));
    return wanted;
  }
  // A checkpoint of ppo means its policy; one of sft or reward its last model, not the best so far.
  for (const char* usual : {"policy", "model"}) {
    if (has(usual)) {
      return usual;
    }
  }
  require(parts.size() == 1, "{} has several parts and no policy: name one of {}.", name,
          fmt::join(parts, ", "));
  return parts.front();
}

}  // namespace

std::string part_path(std::string_view part, std::string_view name) {
  return part.empty() ? std::string(name) : fmt::format("{}/{}", part, name);
}

std::string weight_path(std::string_view part, std::string_view weight) {
  return part_path(part, fmt::format("weights/{}", weight));
}

std::string first_moment_path(std::string_view part, std::string_view weight) {
  return part_path(part, fmt::format("optimizer/first/{}", weight));
}

std::string second_moment_path(std::string_view part, std::string_view weight) {
  return part_path(part, fmt::format("optimizer/second/{}", weight));
}

void write_model_head(StateWriter& file, std::string_view part, const std::string& config,
                      const std::vector<std::uint8_t>& tokenizer) {
  file.text(part_path(part, "config"), config);
  if (!tokenizer.empty()) {
    file.bytes(part_path(part, "tokenizer"), tokenizer);
  }
}

ModelReader::ModelReader(const std::filesystem::path& path, std::string part)
    : file_(path), part_(choose_part(file_, part)) {}

std::string ModelReader::where() const {
  return part_.empty() ? path().string() : fmt::format("{}, part {}", path().string(), part_);
}

std::string ModelReader::config() const { return file_.text(part_path(part_, "config")); }

std::vector<std::uint8_t> ModelReader::tokenizer() const {
  const std::string path = part_path(part_, "tokenizer");
  return file_.contains(path) ? file_.bytes(path) : std::vector<std::uint8_t>{};
}

std::vector<DatasetInfo> ModelReader::weights() const {
  const std::string group = part_path(part_, "weights");
  require(file_.contains(group), "{}: the group {} is missing.", path().string(), group);
  std::vector<DatasetInfo> result = file_.datasets(group);
  for (DatasetInfo& info : result) {
    info.path.erase(0, group.size() + 1);
  }
  return result;
}

bool ModelReader::has_weight(std::string_view name) const {
  return file_.contains(weight_path(part_, name));
}

void ModelReader::weight(std::string_view name, View value, const Shard& shard) const {
  file_.tensor(weight_path(part_, name), value, shard);
}

void ModelReader::weight(std::string_view name, View value) const {
  file_.tensor(weight_path(part_, name), value);
}

}  // namespace precis
