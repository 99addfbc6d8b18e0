#pragma once

// float2(x, y) of Clang's vectors, which have no constructors: a type's name before a parenthesis is a macro.

namespace metal {

template <int... counts>
inline constexpr int sum_v = (0 + ... + counts);

/// One scalar for all elements, a vector with other elements, or scalars and vectors one after the other.
template <class V, class... Parts>
V made(Parts...) {
  constexpr int count = sum_v<element_count_v<Parts>...>;
  static_assert(count == element_count_v<V> || (count == 1 && sizeof...(Parts) == 1),
                "a vector from another number of elements");
  return V();
}

}  // namespace metal

#define bool2(...) (metal::made<metal::vec<bool, 2>>(__VA_ARGS__))
#define bool3(...) (metal::made<metal::vec<bool, 3>>(__VA_ARGS__))
#define bool4(...) (metal::made<metal::vec<bool, 4>>(__VA_ARGS__))
#define char2(...) (metal::made<metal::vec<char, 2>>(__VA_ARGS__))
#define char3(...) (metal::made<metal::vec<char, 3>>(__VA_ARGS__))
#define char4(...) (metal::made<metal::vec<char, 4>>(__VA_ARGS__))
#define uchar2(...) (metal::made<metal::vec<uchar, 2>>(__VA_ARGS__))
#define uchar3(...) (metal::made<metal::vec<uchar, 3>>(__VA_ARGS__))
#define uchar4(...) (metal::made<metal::vec<uchar, 4>>(__VA_ARGS__))
#define short2(...) (metal::made<metal::vec<short, 2>>(__VA_ARGS__))
#define short3(...) (metal::made<metal::vec<short, 3>>(__VA_ARGS__))
#define short4(...) (metal::made<metal::vec<short, 4>>(__VA_ARGS__))
#define ushort2(...) (metal::made<metal::vec<ushort, 2>>(__VA_ARGS__))
#define ushort3(...) (metal::made<metal::vec<ushort, 3>>(__VA_ARGS__))
#define ushort4(...) (metal::made<metal::vec<ushort, 4>>(__VA_ARGS__))
#define int2(...) (metal::made<metal::vec<int, 2>>(__VA_ARGS__))
#define int3(...) (metal::made<metal::vec<int, 3>>(__VA_ARGS__))
#define int4(...) (metal::made<metal::vec<int, 4>>(__VA_ARGS__))
#define uint2(...) (metal::made<metal::vec<uint, 2>>(__VA_ARGS__))
#define uint3(...) (metal::made<metal::vec<uint, 3>>(__VA_ARGS__))
#define uint4(...) (metal::made<metal::vec<uint, 4>>(__VA_ARGS__))
#define long2(...) (metal::made<metal::vec<long, 2>>(__VA_ARGS__))
#define long3(...) (metal::made<metal::vec<long, 3>>(__VA_ARGS__))
#define long4(...) (metal::made<metal::vec<long, 4>>(__VA_ARGS__))
#define ulong2(...) (metal::made<metal::vec<ulong, 2>>(__VA_ARGS__))
#define ulong3(...) (metal::made<metal::vec<ulong, 3>>(__VA_ARGS__))
#define ulong4(...) (metal::made<metal::vec<ulong, 4>>(__VA_ARGS__))
#define half2(...) (metal::made<metal::vec<half, 2>>(__VA_ARGS__))
#define half3(...) (metal::made<metal::vec<half, 3>>(__VA_ARGS__))
#define half4(...) (metal::made<metal::vec<half, 4>>(__VA_ARGS__))
#define bfloat2(...) (metal::made<metal::vec<bfloat, 2>>(__VA_ARGS__))
#define bfloat3(...) (metal::made<metal::vec<bfloat, 3>>(__VA_ARGS__))
#define bfloat4(...) (metal::made<metal::vec<bfloat, 4>>(__VA_ARGS__))
#define float2(...) (metal::made<metal::vec<float, 2>>(__VA_ARGS__))
#define float3(...) (metal::made<metal::vec<float, 3>>(__VA_ARGS__))
#define float4(...) (metal::made<metal::vec<float, 4>>(__VA_ARGS__))
