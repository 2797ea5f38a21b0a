// GPT-2's rule that splits text into pieces before byte pairs are merged.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace precis {

/// Splits by `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` (Radford
/// et al. 2019), where \s is Unicode's White_Space. Many threads may use one.
class Pretokenizer {
 public:
  Pretokenizer();

  /// Calls `visit` with each piece in order; together they are `text`. A byte that is not part of
  /// well-formed UTF-8 is a piece of its own. Linear in the length of the text.
  void split(std::string_view text, const std::function<void(std::string_view)>& visit) const;

 private:
  struct FreeCode {
    void operator()(void* code) const;
  };

  std::shared_ptr<void> code_;
};

}  // namespace precis
