// The weight files of a Hugging Face folder, by the names that a family's tables have.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "io/safetensors.hpp"
#include "model/families/family.hpp"

namespace precis {

class WeightFiles {
 public:
  /// Opens the folder's safetensors. With a tied head an output matrix without an embedding is
  /// taken for it. Adds to `notes` what was left aside or taken for something else. Throws Error
  /// for a file that is malformed, or a tensor that is there under two names.
  WeightFiles(const std::filesystem::path& folder, const Family& family, const ModelConfig& config,
              std::vector<std::string>& notes);

  /// Throws Error unless the files hold these tensors, and else only what the family ignores.
  void check(const std::vector<FamilyTensor>& wanted, const ModelConfig& config) const;
  /// The elements of a tensor. Throws Error if some are not finite, or become so in f32, naming it
  /// and how many of how many.
  [[nodiscard]] std::vector<float> read(const std::string& name) const;
  /// "f32", "bf16", "f16" or "f64"; f32, with a note, for tensors of several dtypes. Throws Error
  /// naming a tensor of another one.
  [[nodiscard]] std::string dtype(const std::vector<FamilyTensor>& tensors,
                                  std::vector<std::string>& notes) const;

 private:
  [[nodiscard]] bool has(const std::string& name) const { return names_.count(name) != 0; }
  [[nodiscard]] const SafetensorsEntry& at(const std::string& name) const;
  void check_tied_copy(const ModelConfig& config, std::set<std::string>& known) const;

  std::string folder_;
  const Family* family_;
  SafetensorsReader reader_;
  std::map<std::string, std::string> names_;  // as in the tables -> as in the files
};

}  // namespace precis
