#include "data/tldr.hpp"

#include <limits>

namespace precis {
namespace {

/// A query around the text that may be cut.
struct QueryParts {
  std::string before;
  std::string_view body;
  std::string after;
};

QueryParts split_query(const Post& post, QueryTemplate form, const std::string& where) {
  const bool article = post.kind == PostKind::article;
  if (post.kind == PostKind::prompt) {
    if (form != QueryTemplate::automatic) {
      throw BadRow(where +
                   ": a `prompt` is used as it is, without a template. Use data.template auto.");
    }
    return {"", post.body, ""};
  }
  if (form == QueryTemplate::automatic) {
    form = article ? QueryTemplate::cnndm : QueryTemplate::tldr;
  }
  if (form == QueryTemplate::tldr && article) {
    throw BadRow(where +
                 ": an article has no TL;DR query. Use data.template transfer for a TL;DR policy.");
  }
  if (form != QueryTemplate::tldr && !article) {
    throw BadRow(where + ": data.template " +
                 (form == QueryTemplate::cnndm ? "cnndm" : "transfer") +
                 " needs an `article`, this row has a `post`.");
  }
  switch (form) {
    case QueryTemplate::cnndm:
      return {"Article:\n", post.body, "\n\nTL;DR:\n"};
    case QueryTemplate::transfer:
      return {"", post.body, "\n\nTL;DR:"};
    default:
      return {"SUBREDDIT: r/" + post.subreddit + "\n\nTITLE: " + post.title + "\n\nPOST: ",
              post.body, "\n\nTL;DR:"};
  }
}

/// Says how much of a text is left after one more cut.
class Cuts {
 public:
  std::size_t next(std::string_view body) {
    if (newlines_) {
      if (const auto newline = body.rfind('\n'); newline != std::string_view::npos) {
        return newline;
      }
      newlines_ = false;  // not searched for again: a text may be cut a million times
    }
    std::size_t size = body.size() - 1;
    while (size > 0 && (static_cast<unsigned char>(body[size]) & 0xC0) == 0x80) {
      --size;
    }
    return size;
  }

 private:
  bool newlines_ = true;
};

/// Whether the last character of `text` is White_Space, as the splitting rule means it.
bool ends_in_white_space(std::string_view text) {
  const auto byte = [&](std::size_t from_end) {
    return from_end <= text.size() ? static_cast<unsigned char>(text[text.size() - from_end]) : 0;
  };
  if ((byte(1) >= 0x09 && byte(1) <= 0x0D) || byte(1) == 0x20) {
    return true;
  }
  if (byte(3) == 0xE2 && byte(2) == 0x80) {
    return byte(1) <= 0x8A || byte(1) == 0xA8 || byte(1) == 0xA9 || byte(1) == 0xAF;
  }
  return text.ends_with("\xC2\x85") || text.ends_with("\xC2\xA0") ||
         text.ends_with("\xE1\x9A\x80") || text.ends_with("\xE2\x81\x9F") ||
         text.ends_with("\xE3\x80\x80");
}

/// Finds how far a query must be cut without encoding it anew at every cut: the pieces before a cut
/// are those of the whole text, except for white space that touches the cut.
class QueryCutter {
 public:
  QueryCutter(const Tokenizer& tokenizer, const std::string& text, std::int64_t max_tokens)
      : tokenizer_(tokenizer), text_(text), max_tokens_(max_tokens) {
    pieces_.push_back({});
    tokenizer.for_each_piece(text, [&](std::string_view piece, std::span<const std::int32_t> ids) {
      ids_.insert(ids_.end(), ids.begin(), ids.end());
      pieces_.push_back(
          {pieces_.back().end + piece.size(), ids_.size(), ends_in_white_space(piece)});
    });
  }

  /// The ids of the first `size` bytes of the text and of `after`, unless they are too many. The
  /// size must not grow from call to call.
  std::optional<std::vector<std::int32_t>> encode(std::size_t size, std::string_view after) {
    while (pieces_.size() > 1 && (pieces_.back().end >= size || pieces_.back().white_space)) {
      pieces_.pop_back();
    }
    const Piece& last = pieces_.back();
    if (last.tokens > static_cast<std::size_t>(max_tokens_) || size > farthest(last)) {
      return std::nullopt;
    }
    std::string tail = text_.substr(last.end, size - last.end);
    tail += after;
    const std::vector<std::int32_t> rest = tokenizer_.encode(tail);
    if (last.tokens + rest.size() > static_cast<std::size_t>(max_tokens_)) {
      return std::nullopt;
    }
    std::vector<std::int32_t> ids(ids_.begin(),
                                  ids_.begin() + static_cast<std::ptrdiff_t>(last.tokens));
    ids.insert(ids.end(), rest.begin(), rest.end());
    return ids;
  }

 private:
  struct Piece {
    std::size_t end = 0;     // in bytes
    std::size_t tokens = 0;  // up to its end
    bool white_space = false;
  };

  /// No tokens that are left after `last` reach beyond this byte, whatever they are.
  std::size_t farthest(const Piece& last) {
    if (last.end == reach_from_) {
      return reach_;
    }
    reach_from_ = last.end;
    reach_ = last.end;
    std::size_t scanned = last.end;
    for (auto left = static_cast<std::size_t>(max_tokens_) - last.tokens;
         left > 0 && reach_ < text_.size(); --left) {
      std::size_t next = reach_;
      for (; scanned <= reach_ && scanned < text_.size(); ++scanned) {
        next = std::max(
            next, scanned + tokenizer_.longest_token(static_cast<unsigned char>(text_[scanned])));
      }
      reach_ = next;
    }
    return reach_;
  }

  const Tokenizer& tokenizer_;
  const std::string& text_;
  std::int64_t max_tokens_;
  std::vector<Piece> pieces_;
  std::vector<std::int32_t> ids_;
  std::size_t reach_from_ = std::numeric_limits<std::size_t>::max();
  std::size_t reach_ = 0;
};

std::optional<std::vector<std::int32_t>> truncate_locally(const Tokenizer& tokenizer,
                                                          const QueryParts& query,
                                                          std::int64_t max_tokens) {
  const std::string text = query.before + std::string(query.body);
  QueryCutter cutter(tokenizer, text, max_tokens);
  Cuts cuts;
  for (std::string_view body = query.body; !body.empty();) {
    body = body.substr(0, cuts.next(body));
    if (auto ids = cutter.encode(query.before.size() + body.size(), query.after)) {
      return ids;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string format_query(const Post& post, QueryTemplate form, const std::string& where) {
  const QueryParts query = split_query(post, form, where);
  return query.before + std::string(query.body) + query.after;
}

std::optional<std::vector<std::int32_t>> truncate_query(std::string_view before, std::string body,
                                                        std::string_view after,
                                                        std::int64_t max_tokens,
                                                        const TextEncoder& encode) {
  Cuts cuts;
  while (true) {
    std::string text(before);
    text += body;
    text += after;
    std::vector<std::int32_t> ids = encode(text);
    if (static_cast<std::int64_t>(ids.size()) <= max_tokens) {
      return ids;
    }
    if (body.empty()) {
      return std::nullopt;
    }
    body.resize(cuts.next(body));
  }
}

std::vector<std::int32_t> encode_query(const Tokenizer& tokenizer, const Post& post,
                                       QueryTemplate form, std::int64_t max_tokens,
                                       const std::string& where) {
  const QueryParts query = split_query(post, form, where);
  std::vector<std::int32_t> whole =
      tokenizer.encode_beginning(query.before + std::string(query.body) + query.after);
  const auto found = whole.size();
  if (static_cast<std::int64_t>(found) <= max_tokens || post.kind == PostKind::prompt) {
    return whole;
  }
  const std::vector<std::int32_t>& begin = tokenizer.begin();
  const std::int64_t most = max_tokens - std::ssize(begin);
  std::optional<std::vector<std::int32_t>> ids;
  if (most > 0) {
    ids = tokenizer.pieces_are_local()
              ? truncate_locally(tokenizer, query, most)
              : truncate_query(query.before, std::string(query.body), query.after, most,
                               [&](std::string_view text) { return tokenizer.encode(text); });
  }
  if (!ids) {
    throw BadRow(
        fmt::format("{}: the query has {} tokens and cannot be cut to {} by shortening the "
                    "text: its title or frame alone is longer.",
                    where, found, max_tokens));
  }
  ids->insert(ids->begin(), begin.begin(), begin.end());
  return std::move(*ids);
}

std::vector<std::int32_t> encode_response(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::int32_t> ids = tokenizer.encode(text);
  ids.push_back(tokenizer.end_token());
  return ids;
}

std::string response_of(std::string_view summary) { return " " + std::string(summary); }

std::vector<std::int32_t> encode_summary(const Tokenizer& tokenizer, std::string_view summary) {
  return encode_response(tokenizer, response_of(summary));
}

}  // namespace precis
