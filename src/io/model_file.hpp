// The model file: configuration, tokenizer and weights by name; also each part of a checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/state_file.hpp"

namespace precis {

/// The path of something in one part: part_path("policy", "config") is "policy/config". A model
/// file is itself the one part, whose name is "": part_path("", "config") is "config".
[[nodiscard]] std::string part_path(std::string_view part, std::string_view name);
/// The path of a weight: weight_path("policy", "head/weight") is "policy/weights/head/weight".
[[nodiscard]] std::string weight_path(std::string_view part, std::string_view weight);
/// The paths of its first and second moment: "policy/optimizer/first/head/weight" and
/// ".../second/...".
[[nodiscard]] std::string first_moment_path(std::string_view part, std::string_view weight);
[[nodiscard]] std::string second_moment_path(std::string_view part, std::string_view weight);

/// Writes the head of a part: its configuration (JSON) and its tokenizer (bytes of tokenizer.json;
/// none if empty). The weights follow by StateWriter::tensor(weight_path(part, name), ...).
void write_model_head(StateWriter& file, std::string_view part, const std::string& config,
                      const std::vector<std::uint8_t>& tokenizer);

/// A model inside an open model file or checkpoint.
class ModelReader {
 public:
  /// Opens a model file, or one part of a checkpoint. `part` "" means the model itself, or of a
  /// checkpoint its policy, or its only part. Throws Error naming the parts there are.
  explicit ModelReader(const std::filesystem::path& path, std::string part = "");

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return file_.path(); }
  /// "" for a model file.
  [[nodiscard]] const std::string& part() const noexcept { return part_; }
  [[nodiscard]] const StateReader& file() const noexcept { return file_; }
  /// "RUN/model.h5", or "RUN/checkpoints/step_000120.h5, part policy": for messages.
  [[nodiscard]] std::string where() const;

  /// The configuration, a JSON object.
  [[nodiscard]] std::string config() const;
  /// The bytes of tokenizer.json; empty if the model has none.
  [[nodiscard]] std::vector<std::uint8_t> tokenizer() const;
  /// The weights that the file has, sorted by name ("blocks/000/mlp/up/weight"); path is that name.
  [[nodiscard]] std::vector<DatasetInfo> weights() const;
  [[nodiscard]] bool has_weight(std::string_view name) const;
  /// Reads one weight, see StateReader::tensor.
  void weight(std::string_view name, View value, const Shard& shard) const;
  void weight(std::string_view name, View value) const;

 private:
  StateReader file_;
  std::string part_;
};

}  // namespace precis
