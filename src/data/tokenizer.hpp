// Byte-level BPE: text to token ids and back.
#pragma once

#include "data/bpe.hpp"
#include "data/pretokenizer.hpp"
#include "io/input_file.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace precis {

/// A token that is matched in the text itself, before byte pairs are merged.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;     // taken from text only on request
  bool normalized = false;  // matched after normalization, else before
  friend bool operator==(const AddedToken&, const AddedToken&) = default;
};

/// What a tokenizer is made of: the content of a tokenizer.json.
struct TokenizerParts {
  std::vector<std::string> tokens;  // by id: the bytes that a token stands for; empty: no such id
  std::vector<Merge> merges;        // by rank
  std::vector<AddedToken> added;
  bool add_prefix_space = false;
  bool split = true;  // GPT-2's splitting rule
  bool nfc = false;   // Unicode normalization form C before splitting
  // What its post-processor puts before a text, such as Llama's begin token.
  std::vector<std::int32_t> begin;
  std::vector<std::string> notes;  // sentences: what was chosen where its files disagree
};

/// A byte-level BPE tokenizer. Many threads may use one.
class Tokenizer {
 public:
  /// Throws Error where `parts` do not make a tokenizer that can encode all UTF-8 text. `name` is
  /// the source in messages. `json` is the tokenizer.json it was read from, if any.
  explicit Tokenizer(TokenizerParts parts, const std::string& name = "the tokenizer",
                     std::string json = {});

  /// From a tokenizer.json, a folder (tokenizer.json, vocab.json + merges.txt or encoder.json +
  /// vocab.bpe, the first of these that is whole) or a model file. Throws Error with one message if
  /// it is malformed or needs a feature that precis does not have, naming it.
  [[nodiscard]] static Tokenizer load(const InputFile& file);
  /// From the bytes of a tokenizer.json (Hugging Face). Throws as `load`.
  [[nodiscard]] static Tokenizer from_json(std::string_view bytes,
                                           const std::string& name = "tokenizer.json");
  /// The bytes of a tokenizer.json that Hugging Face's library reads and encodes equally with:
  /// those that it was read from, else always the same ones for the same tokenizer.
  [[nodiscard]] const std::string& to_json() const { return json_; }

  /// The same tokenizer whose post-processor puts these ids before a text, or none.
  [[nodiscard]] Tokenizer with_begin(const std::vector<std::int32_t>& ids) const;

  /// The ids of any bytes, without begin tokens; bytes that are not UTF-8 become pieces of their
  /// own. Special tokens are taken from the text only if `special`. O(n log n). Throws Error for a
  /// byte that the vocabulary lacks (GPT-NeoX's lacks those that never occur in UTF-8; our own and
  /// GPT-2's lack none).
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text, bool special = false) const;
  /// The ids of a text that something follows: the begin tokens, then those of `encode`.
  [[nodiscard]] std::vector<std::int32_t> encode_beginning(std::string_view text,
                                                           bool special = false) const;
  /// Calls `visit` with each piece of the text and its ids: what `encode` does when
  /// `pieces_are_local`.
  void for_each_piece(
      std::string_view text,
      const std::function<void(std::string_view, std::span<const std::int32_t>)>& visit) const;
  /// Whether the ids of a text are those of its pieces, one after the other, and a piece depends on
  /// nothing but itself and the white space or the one character that follows.
  [[nodiscard]] bool pieces_are_local() const;
  /// The bytes that the ids stand for; an id without a token gives nothing, as in the reference
  /// library: a model's vocabulary may be padded.
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const;

  /// One more than the largest id: the rows that an embedding needs.
  [[nodiscard]] std::int32_t vocabulary() const;
  /// Whether `id` stands for a token.
  [[nodiscard]] bool contains(std::int32_t id) const;
  /// The bytes of one token.
  [[nodiscard]] const std::string& token(std::int32_t id) const { return parts_.tokens.at(id); }
  /// The id of an added token such as "<|endoftext|>".
  [[nodiscard]] std::optional<std::int32_t> find_added(std::string_view content) const;
  /// The id that ends a response: that of `set_end_token`, else of "<|endoftext|>". Throws Error if
  /// there is neither.
  [[nodiscard]] std::int32_t end_token() const;
  /// A model's own end token, which may differ from the token that the tokenizer names as such. To
  /// be called before the tokenizer is shared.
  void set_end_token(std::int32_t id) { end_token_ = id; }
  /// A model's begin token, and the size of its vocabulary, which may be padded beyond the
  /// tokenizer's. Neither is known for a tokenizer without a model.
  void set_begin_token(std::int32_t id) { begin_token_ = id; }
  [[nodiscard]] std::optional<std::int32_t> begin_token() const { return begin_token_; }
  void set_model_vocabulary(std::int64_t tokens) { model_vocabulary_ = tokens; }
  [[nodiscard]] std::optional<std::int64_t> model_vocabulary() const { return model_vocabulary_; }
  /// What goes before a query: the ids of the post-processor.
  [[nodiscard]] const std::vector<std::int32_t>& begin() const { return parts_.begin; }
  /// What the user should know about how it was read: sentences for the log.
  [[nodiscard]] const std::vector<std::string>& notes() const { return parts_.notes; }
  /// The most bytes of text that one token beginning with `byte` can stand for.
  [[nodiscard]] std::size_t longest_token(unsigned char byte) const { return longest_[byte]; }

  [[nodiscard]] const TokenizerParts& parts() const { return parts_; }
  /// Whether both encode and decode equally (whatever file they came from), begin tokens included.
  [[nodiscard]] bool same_as(const Tokenizer& other) const;

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  /// An added token as it appears in the text that is searched for it.
  struct Pattern {
    std::string text;
    std::int32_t id = 0;
    bool special = false;
  };
  /// The longest first; of those matched after normalization, or before it.
  [[nodiscard]] static std::vector<Pattern> patterns_of(const TokenizerParts& parts,
                                                        bool normalized);
  /// Splits `text` at the leftmost longest added tokens.
  static void split_added(std::string_view text, const std::vector<Pattern>& patterns, bool special,
                          std::vector<std::int32_t>& ids,
                          const std::function<void(std::string_view)>& visit);
  void encode_section(std::string_view text, std::vector<std::int32_t>& ids,
                      BpeScratch& scratch) const;
  void encode_piece(std::string_view piece, std::vector<std::int32_t>& ids,
                    BpeScratch& scratch) const;

  TokenizerParts parts_;
  std::string name_;
  std::string json_;
  Bpe bpe_;
  Pretokenizer pretokenizer_;
  // Pieces that become one token: most words of a text.
  std::unordered_map<std::string, std::int32_t, TextHash, std::equal_to<>> whole_;
  std::array<std::size_t, 256> longest_{};
  std::vector<Pattern> raw_patterns_;
  std::vector<Pattern> normalized_patterns_;
  std::optional<std::int32_t> end_token_;
  std::optional<std::int32_t> begin_token_;
  std::optional<std::int64_t> model_vocabulary_;
};

}  // namespace precis
