// Views: memory that somebody else owns, with its element type and shape.
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

namespace precis {

enum class DType : std::uint8_t { f32, f64, bf16, i32, i64, u8 };

[[nodiscard]] constexpr std::int64_t size_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}

[[nodiscard]] constexpr const char* name_of(DType dtype) noexcept {
  constexpr const char* names[] = {"f32", "f64", "bf16", "i32", "i64", "u8"};
  return names[static_cast<std::size_t>(dtype)];
}

/// Storage of a bf16 element: the upper half of an f32.
struct BFloat16 {
  std::uint16_t bits;
};
/// x rounded to nearest even; a NaN stays one.
[[nodiscard]] constexpr BFloat16 to_bf16(float x) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return {
      static_cast<std::uint16_t>(x != x ? 0x7fffU : (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16)};
}
[[nodiscard]] constexpr float to_f32(BFloat16 x) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> : std::integral_constant<DType, DType::f32> {};
template <>
struct DTypeOf<double> : std::integral_constant<DType, DType::f64> {};
template <>
struct DTypeOf<BFloat16> : std::integral_constant<DType, DType::bf16> {};
template <>
struct DTypeOf<std::int32_t> : std::integral_constant<DType, DType::i32> {};
template <>
struct DTypeOf<std::int64_t> : std::integral_constant<DType, DType::i64> {};
template <>
struct DTypeOf<std::uint8_t> : std::integral_constant<DType, DType::u8> {};

template <class T>
inline constexpr DType dtype_of = DTypeOf<std::remove_cv_t<T>>::value;

/// Up to four extents; rank 0 is "no tensor" (an optional argument left out).
class Shape {
 public:
  static constexpr int max_rank = 4;

  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<std::int64_t> extents) {
    assert(extents.size() <= max_rank);
    for (const std::int64_t extent : extents) {
      extents_[static_cast<std::size_t>(rank_++)] = extent;
    }
  }

  [[nodiscard]] constexpr int rank() const noexcept { return rank_; }
  [[nodiscard]] constexpr std::int64_t operator[](int axis) const {
    assert(axis >= 0 && axis < rank_);
    return extents_[static_cast<std::size_t>(axis)];
  }
  constexpr void set(int axis, std::int64_t extent) {
    assert(axis >= 0 && axis < rank_);
    extents_[static_cast<std::size_t>(axis)] = extent;
  }
  constexpr void append(std::int64_t extent) {
    assert(rank_ < max_rank);
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }
  /// The product of the extents; 0 for rank 0.
  [[nodiscard]] constexpr std::int64_t numel() const noexcept {
    return rank_ == 0 ? 0 : extents_[0] * row_numel();
  }
  /// Elements of one slice of axis 0.
  [[nodiscard]] constexpr std::int64_t row_numel() const noexcept {
    std::int64_t product = 1;
    for (int axis = 1; axis < rank_; ++axis) {
      product *= extents_[static_cast<std::size_t>(axis)];
    }
    return product;
  }
  friend constexpr bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

/// "(3, 5)".
[[nodiscard]] std::string to_string(const Shape& shape);

/// Row-major elements; `Byte` is std::byte for a View, const std::byte for a ConstView. Dense:
/// slices of axis 0 follow each other without gaps.
template <class Byte>
class BasicView {
 public:
  template <class T>
  using Element = std::conditional_t<std::is_const_v<Byte>, const T, T>;

  /// "No tensor": what an optional argument is when it is left out.
  constexpr BasicView() = default;
  constexpr BasicView(Byte* bytes, DType dtype, const Shape& shape)
      : bytes_(bytes), dtype_(dtype), shape_(shape) {}
  /// A View is accepted wherever a ConstView is.
  template <class Other>
  requires(std::is_const_v<Byte> && !std::is_const_v<Other>) constexpr BasicView(
      const BasicView<Other>& other)  // NOLINT(google-explicit-constructor)
      : bytes_(other.bytes()), dtype_(other.dtype()), shape_(other.shape()) {}

  [[nodiscard]] constexpr bool empty() const noexcept { return shape_.rank() == 0; }
  [[nodiscard]] constexpr Byte* bytes() const noexcept { return bytes_; }
  [[nodiscard]] constexpr DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] constexpr const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] constexpr std::int64_t extent(int axis) const { return shape_[axis]; }
  [[nodiscard]] constexpr std::int64_t numel() const noexcept { return shape_.numel(); }
  [[nodiscard]] constexpr std::int64_t size_bytes() const noexcept {
    return numel() * size_of(dtype_);
  }

  /// The elements, as the type they must have.
  template <class T>
  [[nodiscard]] Element<T>* data() const {
    assert(empty() || dtype_ == dtype_of<T>);
    return reinterpret_cast<Element<T>*>(bytes_);
  }

  /// The slices [begin, end) of axis 0.
  [[nodiscard]] BasicView rows(std::int64_t begin, std::int64_t end) const {
    assert(0 <= begin && begin <= end && end <= shape_[0]);
    Shape shape = shape_;
    shape.set(0, end - begin);
    return {bytes_ + begin * shape_.row_numel() * size_of(dtype_), dtype_, shape};
  }
  /// Slice i of axis 0, one axis less.
  [[nodiscard]] BasicView row(std::int64_t i) const {
    Shape shape;
    for (int axis = 1; axis < shape_.rank(); ++axis) {
      shape.append(shape_[axis]);
    }
    return rows(i, i + 1).reshaped(shape);
  }
  /// The same elements in another shape with the same product.
  [[nodiscard]] BasicView reshaped(const Shape& shape) const {
    assert(shape.numel() == numel());
    return {bytes_, dtype_, shape};
  }

 private:
  Byte* bytes_ = nullptr;
  DType dtype_ = DType::f32;
  Shape shape_;
};

using View = BasicView<std::byte>;
using ConstView = BasicView<const std::byte>;

/// A view of `count` elements of host memory, of the given shape (default: one axis).
template <class T>
[[nodiscard]] auto view_of(T* data, const Shape& shape) {
  using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
  return BasicView<Byte>(reinterpret_cast<Byte*>(data), dtype_of<T>, shape);
}

/// A one-axis view of a contiguous container (std::vector, std::array).
template <class Container>
[[nodiscard]] auto view_of(Container& container) {
  return view_of(container.data(), Shape{static_cast<std::int64_t>(container.size())});
}

}  // namespace precis
