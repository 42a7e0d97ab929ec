with

source as (

    select * from {{ ref('user_experiments') }}

),

renamed as (

    select

        ----------  ids
        record_number,
        {{ text_to_bigint('experiment_id') }} as experiment_id,
        {{ text_to_bigint('user_id') }} as user_id,

        ----------  text
        experiment_compound_ids,
        _fields_missing as fields_missing,

        ----------  numbers
        {{ field_to_nonnegative_number('experiment_run_time', '_separator') }} as experiment_run_time,

        ----------  booleans
        experiment_run_time is not null as has_run_time

    from source

)

select * from renamed
